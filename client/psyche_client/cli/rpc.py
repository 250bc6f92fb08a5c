"""A few plain JSON-RPC calls, for commands that need no more of the chain than a number."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from psyche_client.cli.errors import Code, CommandError

ANSWER_BYTES_MAX = 1 << 22
TIMEOUT_SECONDS = 10.0


def call(url: str, method: str, *parameters: object) -> Any:
    """Asks an RPC endpoint and returns its `result`.

    Raises:
        CommandError: the endpoint cannot be reached, answers no JSON-RPC, or refuses.
    """
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)})
    request = urllib.request.Request(
        url, data=body.encode(), headers={"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
            answer = json.loads(reply.read(ANSWER_BYTES_MAX))
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise CommandError(
            f"no answer from {url}: {getattr(reason, 'strerror', None) or reason}",
            hint="start a chain here with `psyche localnet`, or name another with --url",
            code=Code.CHAIN,
        ) from None
    except (ValueError, OSError):
        raise CommandError(
            f"{url} answers, but not as a Solana RPC endpoint",
            hint="name an RPC endpoint with --url: `psyche localnet` prints its own",
            code=Code.CHAIN,
        ) from None
    if not isinstance(answer, dict) or "result" not in answer:
        message = answer.get("error", {}).get("message") if isinstance(answer, dict) else None
        raise CommandError(f"{url} refused {method}: {message or answer}", code=Code.CHAIN)
    return answer["result"]
