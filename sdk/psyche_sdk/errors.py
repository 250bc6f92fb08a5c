"""What can go wrong between a caller and a run.

PsycheError                  root; `hint` says what to do
+-- ConfigError              an argument cannot be right (also a ValueError)
+-- RpcError                 a node answered with an error
|   +-- RpcUnreachable       no node answered
|   +-- RpcAnswerInvalid     a node answered what no node should
+-- OutcomeUnknown           a transaction was sent and nobody knows what became of it
+-- TransactionError         a transaction was refused
|   +-- ProgramError         by the coordinator; a subclass for each of its errors
|   |                        (module psyche_sdk.program_errors)
|   +-- AnchorError          by the framework under the coordinator: accounts do not fit
|   +-- InsufficientFunds    the payer lacks lamports
|   +-- TransactionExpired   it did not land before its blockhash expired; safe to send again
|   +-- TransactionTooLarge  it is over 1,232 bytes; nothing was sent
|   +-- TransactionFailed    for another reason
+-- AccountError             an account is not what it should be
    +-- AccountMissing       nothing is at the address
    +-- WrongOwner           another program's
    +-- WrongDiscriminator   of another kind
    +-- WrongVersion         of a layout that this release does not read
    +-- WrongLength          cut short, or of another size than its head says
    +-- AccountInvalid       of the right form, but with contents that cannot be
"""
# ruff: noqa: N818  (names say what happened; all are PsycheErrors)

from __future__ import annotations

from psyche_sdk._error_base import ProgramError, PsycheError, TransactionError

__all__ = [
    "AccountError",
    "AccountInvalid",
    "AccountMissing",
    "AnchorError",
    "ConfigError",
    "InsufficientFunds",
    "OutcomeUnknown",
    "ProgramError",
    "PsycheError",
    "RpcAnswerInvalid",
    "RpcError",
    "RpcUnreachable",
    "TransactionError",
    "TransactionExpired",
    "TransactionFailed",
    "TransactionTooLarge",
    "WrongDiscriminator",
    "WrongLength",
    "WrongOwner",
    "WrongVersion",
]


class ConfigError(PsycheError, ValueError):
    """An argument cannot be right: raised before anything is sent. Correct the argument."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RpcError(PsycheError):
    """A node answered a request with an error. Retry only what you know to be safe.

    Attributes:
        url: the node, without path and query, which may hold a key.
        code: of JSON-RPC, or 0.
        data: what the node added, untouched.
    """

    def __init__(
        self, message: str, *, url: str = "", code: int = 0, data: object = None, hint: str = ""
    ) -> None:
        super().__init__(f"{url}: {message}" if url else message)
        self.url = url
        self.code = code
        self.data = data
        self.hint = hint or "see what the node says; another may serve the request"


class RpcUnreachable(RpcError):
    """No node answered: the network is down, or the URL is wrong. Reading again is safe.

    Attributes:
        sent: whether the request may have reached a node all the same.
    """

    def __init__(self, message: str, *, url: str = "", sent: bool = False) -> None:
        hint = f"check that a node listens at {url}" if url else "check the node's URL"
        super().__init__(message, url=url, hint=f"{hint}, or name another with --url")
        self.sent = sent


class RpcAnswerInvalid(RpcError):
    """A node answered what is no JSON-RPC, or of another shape. Use another node."""


class OutcomeUnknown(PsycheError):
    """A transaction was sent, and it cannot be told whether it landed.

    Read the run to see what happened, or ask for the signature later. Do not send the same
    again blindly: both could land.
    """

    def __init__(self, signature: str, reason: str) -> None:
        super().__init__(f"transaction {signature}: {reason}")
        self.signature = signature
        self.hint = "read the run again to see whether it took effect before sending another"


class AnchorError(TransactionError):
    """The framework refused the accounts or the data of an instruction. Mostly a stale address.

    Attributes:
        code: below 6,000; `name` is Anchor's name for it.
    """

    def __init__(self, code: int, name: str, instruction: str = "") -> None:
        super().__init__(f"{instruction or 'instruction'}: {name} ({code})")
        self.code = code
        self.name = name
        self.instruction = instruction
        self.hint = "an account or the data does not fit the program: compare versions and URL"


class InsufficientFunds(TransactionError):
    """The payer cannot pay the fee or the rent. Fund it, then send again.

    Attributes:
        payer: address of the wallet that pays.
    """

    def __init__(self, payer: str, reason: str) -> None:
        super().__init__(f"wallet {payer} lacks funds: {reason}")
        self.payer = payer
        self.hint = f"send SOL to {payer}; on localnet and devnet an airdrop does it"


class TransactionExpired(TransactionError):
    """The transaction did not land while its blockhash was valid, and cannot any more.

    Sending anew is safe.
    """

    def __init__(self, signature: str) -> None:
        super().__init__(f"transaction {signature} did not land in time")
        self.signature = signature
        self.hint = "send it again; if that repeats, raise the priority fee or use another node"


class TransactionTooLarge(TransactionError, ValueError):
    """The transaction is over the limit of bytes; nothing was sent. Split it."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the transaction has {size} bytes, {size - limit} over the limit")
        self.hint = "send fewer instructions at once, or shorter texts"


class TransactionFailed(TransactionError):
    """The cluster refused the transaction for a reason that has no class here; see the message.

    Attributes:
        reason: the error as the node gave it.
    """

    def __init__(self, message: str, reason: object = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = "see the logs of the error; read the run again before retrying"


class AccountError(PsycheError):
    """An account is not what it should be. Check the address and the cluster.

    Attributes:
        address: the account's, in base58.
    """

    def __init__(self, address: object, message: str) -> None:
        super().__init__(f"account {address}: {message}")
        self.address = str(address)
        self.hint = "check the address and that the URL is of the cluster that has the run"


class AccountMissing(AccountError):
    """Nothing is at the address: it is of another cluster, was closed, or is not created yet."""

    def __init__(self, address: object) -> None:
        super().__init__(address, "does not exist")


class WrongOwner(AccountError):
    """The account belongs to another program."""

    def __init__(self, address: object, *, found: object, wanted: object) -> None:
        super().__init__(address, f"belongs to program {found}, not {wanted}")


class WrongDiscriminator(AccountError):
    """The account is of another kind."""

    def __init__(self, address: object, *, found: bytes, wanted: str) -> None:
        super().__init__(address, f"begins with {found.hex()}: it is no {wanted}")


class WrongVersion(AccountError):
    """The account has a layout that this release does not read. Update the package."""

    def __init__(self, address: object, *, found: int, supported: tuple[int, ...]) -> None:
        names = ", ".join(map(str, supported))
        super().__init__(address, f"has layout version {found}; this release reads {names}")
        self.found = found
        self.supported = supported
        self.hint = "use the release of the SDK that belongs to the program"
        if found < min(supported):
            self.hint = "the program was upgraded: `python -m migrations` takes old accounts along"


class WrongLength(AccountError):
    """The account is shorter or longer than its layout. It may not be allocated in full yet."""

    def __init__(self, address: object, *, found: int, wanted: int) -> None:
        super().__init__(address, f"has {found} bytes, {wanted} wanted")
        self.found = found
        self.wanted = wanted
        self.hint = "if the run was just created, send `allocate` until it is complete"


class AccountInvalid(AccountError):
    """The account has the right form but impossible contents: no program of ours wrote it."""

    def __init__(self, address: object, reason: str) -> None:
        super().__init__(address, f"holds what cannot be: {reason}")
