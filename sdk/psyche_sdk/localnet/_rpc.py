"""JSON-RPC 2.0: from the bytes of a request to those of its answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from psyche_sdk.localnet._bank import Bank
from psyche_sdk.localnet._params import Params
from psyche_sdk.localnet.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
)

_LOG = logging.getLogger(__name__)

VERSION = "4.1.2"  # of the node whose answers these are like
BATCH_MAX = 256
BATCH_ANSWER_BYTES_MAX = 48 * 2**20

Method = Callable[[Bank, Params], Any]
Methods = dict[str, Method]
_INTERNAL = RpcError(INTERNAL_ERROR, "Internal error")


async def answer_body(bank: Bank, methods: Methods, body: bytes) -> bytes:
    """Answers a request or a batch; empty where no answer is wanted."""
    try:
        request = parse(body)
    except RpcError as error:
        return encode(error_answer(error))
    if isinstance(request, list):
        return await _answer_batch(bank, methods, request)
    answer = dispatch(bank, methods, request)
    return b"" if answer is None else encode(answer)


async def _answer_batch(bank: Bank, methods: Methods, requests: list[Any]) -> bytes:
    if not 0 < len(requests) <= BATCH_MAX:
        return _refused_batch(f"a batch holds 1 to {BATCH_MAX} requests")
    answers: list[bytes] = []
    room = BATCH_ANSWER_BYTES_MAX
    for request in requests:
        answer = dispatch(bank, methods, request)
        if answer is not None:
            answers.append(encode(answer))
            room -= len(answers[-1])
        if room < 0:
            return _refused_batch(f"the answers are longer than {BATCH_ANSWER_BYTES_MAX} bytes")
        await asyncio.sleep(0)  # lets slots and other clients in between
    return b"[" + b",".join(answers) + b"]" if answers else b""


def _refused_batch(message: str) -> bytes:
    return encode(error_answer(RpcError(INVALID_REQUEST, message)))


def parse(body: bytes | str) -> Any:
    """Reads JSON; RpcError if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RpcError(PARSE_ERROR, "Parse error") from error


def error_answer(error: RpcError, identity: int | str | None = None) -> dict[str, Any]:
    """Returns the answer that carries an error."""
    return {"jsonrpc": "2.0", "error": error.to_object(), "id": identity}


def encode(answer: dict[str, Any]) -> bytes:
    """Returns an answer as bytes."""
    return json.dumps(answer, separators=(",", ":")).encode()


def with_context(slot: int, value: Any) -> dict[str, Any]:
    """Returns `value` in the frame that says for which slot it holds."""
    return {"context": {"slot": slot, "apiVersion": VERSION}, "value": value}


def dispatch(bank: Bank, methods: Methods, request: Any) -> dict[str, Any] | None:
    """Answers one JSON-RPC request object; None for a notification, which wants no answer."""
    identity = request.get("id") if isinstance(request, dict) else None
    if isinstance(identity, bool) or not isinstance(identity, int | str | None):
        identity = None
    answer: dict[str, Any]
    try:
        answer = {"jsonrpc": "2.0", "result": _call(bank, methods, request), "id": identity}
    except RpcError as error:
        answer = error_answer(error, identity)
    except Exception:
        _LOG.exception("a request failed inside the chain")
        answer = error_answer(_INTERNAL, identity)
    except BaseException as error:
        # A panic inside LiteSVM or solders arrives as a BaseException of a private class.
        if type(error).__name__ != "PanicException":
            raise
        _LOG.error("a request made the virtual machine panic: %s", error)
        answer = error_answer(_INTERNAL, identity)
    wanted = not isinstance(request, dict) or "id" in request
    return answer if wanted else None


def _call(bank: Bank, methods: Methods, request: Any) -> Any:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "Invalid request")
    method = methods.get(request["method"])
    if method is None:
        raise RpcError(METHOD_NOT_FOUND, "Method not found")
    return method(bank, Params(request.get("params"), bank.slots.slot))
