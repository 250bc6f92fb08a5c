"""The websocket server: subscriptions to accounts, signatures, slots, logs and programs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from psyche_sdk.localnet._accounts import read_filters
from psyche_sdk.localnet._bank import Bank
from psyche_sdk.localnet._encode import EMPTY_ACCOUNT, AccountForm
from psyche_sdk.localnet._params import Params, pubkey
from psyche_sdk.localnet._records import Record
from psyche_sdk.localnet._rpc import Method, Methods, dispatch, error_answer, parse
from psyche_sdk.localnet._subscriptions import SUBSCRIPTIONS_MAX, Client, Subscription, TooSlow
from psyche_sdk.localnet.errors import INVALID_REQUEST, RpcError, invalid_params

_LOG = logging.getLogger(__name__)

CONNECTIONS_MAX = 512
MESSAGE_BYTES_MAX = 64 * 1024
FLUSH_SECONDS_MIN, FLUSH_SECONDS_MAX = 0.005, 0.05
_FLUSHES_A_SLOT = 8
_POLICY_VIOLATION = 1008
_TRY_AGAIN_LATER = 1013


class PubSub:
    """Tells subscribers what happens on a bank.

    The changes of an account within an eighth of a slot are told as one, for many clients may
    watch one account; and an account that a transaction left as it was is not told again.
    """

    def __init__(self, bank: Bank, slot_ms: int) -> None:
        self._bank = bank
        wanted = slot_ms / 1000 / _FLUSHES_A_SLOT
        self._flush_seconds = min(max(wanted, FLUSH_SECONDS_MIN), FLUSH_SECONDS_MAX)
        self._told: dict[Pubkey, Account] = {}
        self._clients: set[Client] = set()
        self._server: Server | None = None
        self._dirty: set[Pubkey] = set()
        self._flush_handle: asyncio.TimerHandle | None = None
        bank.on_executed.append(self._executed)

    async def start(self, host: str, port: int) -> None:
        """Listens on `port`; OSError if it is taken."""
        self._server = await serve(
            self._connection,
            host,
            port,
            max_size=MESSAGE_BYTES_MAX,
            compression=None,
            max_queue=4,
            close_timeout=1.0,
            logger=_QUIET,
        )

    async def stop(self) -> None:
        """Ends all connections and stops listening."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def slot_changed(self, slot: int) -> None:
        """Tells the subscribers of slots and roots that `slot` has begun."""
        for client in self._clients:
            for subscription in client.subscriptions.values():
                if subscription.kind == "slot":
                    client.notify(
                        subscription, {"parent": slot - 1, "root": slot - 1, "slot": slot}
                    )
                elif subscription.kind == "root":
                    client.notify(subscription, slot - 1)

    async def _connection(self, socket: ServerConnection) -> None:
        if len(self._clients) >= CONNECTIONS_MAX:
            await socket.close(_TRY_AGAIN_LATER, "too many connections")
            return
        client = Client()
        self._clients.add(client)
        sender = asyncio.get_running_loop().create_task(_send(socket, client))
        try:
            async for message in socket:
                await asyncio.sleep(0)
                answer = self._answer(client, message)
                if answer is not None:
                    client.send(json.dumps(answer, separators=(",", ":")))
                    self._announce_known(client)
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(client)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender

    def _answer(self, client: Client, message: str | bytes) -> dict[str, Any] | None:
        try:
            return dispatch(self._bank, self._methods(client), parse(message))
        except RpcError as error:
            return error_answer(error)

    def _methods(self, client: Client) -> Methods:
        def adding(read: Callable[[Client, Params], Subscription]) -> Method:
            def method(_bank: Bank, params: Params) -> int:
                if len(client.subscriptions) >= SUBSCRIPTIONS_MAX:
                    raise RpcError(INVALID_REQUEST, "too many subscriptions on this connection")
                return read(client, params).number

            return method

        def unsubscribe(_bank: Bank, params: Params) -> bool:
            number = params.integer(0, "subscription")
            if client.subscriptions.pop(number, None) is None:
                raise invalid_params("Invalid subscription id.")
            return True

        methods = {f"{kind}Subscribe": adding(read) for kind, read in _KINDS.items()}
        return methods | {f"{kind}Unsubscribe": unsubscribe for kind in _KINDS}

    def _announce_known(self, client: Client) -> None:
        """Tells the outcome of signatures that were executed before they were subscribed to."""
        for subscription in tuple(client.subscriptions.values()):
            if subscription.kind == "signature":
                record = self._bank.history.get(str(subscription.key))
                if record is not None:
                    self._tell_signature(client, subscription, record)

    def _tell_signature(self, client: Client, subscription: Subscription, record: Record) -> None:
        client.notify(subscription, _with_context(record.slot, {"err": record.err}))
        del client.subscriptions[subscription.number]  # nodes end it after the one notification

    def _executed(self, record: Record) -> None:
        watched = False
        for client in self._clients:
            for subscription in tuple(client.subscriptions.values()):
                if subscription.kind == "signature" and subscription.key == record.signature:
                    self._tell_signature(client, subscription, record)
                elif subscription.kind == "logs" and _mentions(subscription, record):
                    value = {"signature": record.signature, "err": record.err, "logs": record.logs}
                    client.notify(subscription, _with_context(record.slot, value))
                watched = watched or subscription.form is not None
        if not watched:
            return
        self._dirty.update(record.keys.writable)
        if self._flush_handle is None:
            loop = asyncio.get_running_loop()
            self._flush_handle = loop.call_later(self._flush_seconds, self._flush)

    def _watched(self) -> tuple[set[Pubkey], set[Pubkey]]:
        """The accounts, and the programs whose accounts, somebody has subscribed to."""
        accounts: set[Pubkey] = set()
        programs: set[Pubkey] = set()
        for client in self._clients:
            for subscription in client.subscriptions.values():
                if isinstance(subscription.key, Pubkey) and subscription.form is not None:
                    kept = accounts if subscription.kind == "account" else programs
                    kept.add(subscription.key)
        return accounts, programs

    def _flush(self) -> None:
        """Tells the subscribers of accounts and programs what has changed since the last time."""
        self._flush_handle = None
        changed = self._changed()
        context = f'{{"slot":{self._bank.slots.slot}}}'
        encoded: dict[tuple[Pubkey, AccountForm], str] = {}

        def encode(key: Pubkey, form: AccountForm) -> str:
            # One form is encoded once, however many have subscribed to it.
            if (key, form) not in encoded:
                body = form.encode(changed[key], strict=False)
                encoded[key, form] = json.dumps(body, separators=(",", ":"))
            return encoded[key, form]

        for client in self._clients:
            for subscription in client.subscriptions.values():
                form, wanted = subscription.form, subscription.key
                if form is None or not isinstance(wanted, Pubkey):
                    continue
                if subscription.kind == "account" and wanted in changed:
                    value = encode(wanted, form)
                    client.notify_text(subscription, f'{{"context":{context},"value":{value}}}')
                elif subscription.kind == "program":
                    for key, account in changed.items():
                        if _is_wanted(subscription, account):
                            value = f'{{"pubkey":"{key}","account":{encode(key, form)}}}'
                            text = f'{{"context":{context},"value":{value}}}'
                            client.notify_text(subscription, text)

    def _changed(self) -> dict[Pubkey, Account]:
        """Takes the accounts that were touched, are watched, and differ from what was told."""
        dirty, self._dirty = self._dirty, set()
        watched, programs = self._watched()
        changed: dict[Pubkey, Account] = {}
        for key in dirty:
            account = self._bank.account(key) or EMPTY_ACCOUNT
            known = key in watched or account.owner in programs
            if known and self._told.get(key) != account:
                changed[key] = account
        kept = {key: account for key, account in self._told.items() if key in watched}
        self._told = kept | {key: changed[key] for key in changed if key in watched}
        return changed


async def _send(socket: ServerConnection, client: Client) -> None:
    try:
        while True:
            await socket.send(await client.next())
    except TooSlow:
        await socket.close(_POLICY_VIOLATION, "notifications were not read in time")
    except ConnectionClosed:
        pass


def _with_context(slot: int, value: Any) -> dict[str, Any]:
    return {"context": {"slot": slot}, "value": value}


def _mentions(subscription: Subscription, record: Record) -> bool:
    return subscription.key is None or subscription.key in record.keys.all


def _is_wanted(subscription: Subscription, account: Account) -> bool:
    if account.owner != subscription.key:
        return False
    return subscription.matches is None or subscription.matches(account.data)


def _account(client: Client, params: Params) -> Subscription:
    return client.subscribe("account", params.pubkey(0), AccountForm.read(params.config(1)))


def _program(client: Client, params: Params) -> Subscription:
    config = params.config(1)
    matches = read_filters(config.list("filters"))
    program_id = params.pubkey(0, "program id")
    return client.subscribe("program", program_id, AccountForm.read(config), matches)


def _signature(client: Client, params: Params) -> Subscription:
    params.config(1)
    return client.subscribe("signature", params.signature(0))


def _logs(client: Client, params: Params) -> Subscription:
    params.config(1)
    wanted = params.get(0, "filter")
    if wanted in ("all", "allWithVotes"):
        return client.subscribe("logs", None)
    mentions = wanted.get("mentions") if isinstance(wanted, dict) else None
    if not isinstance(mentions, list) or len(mentions) != 1:
        raise invalid_params('filter is "all", "allWithVotes" or {"mentions": [address]}')
    return client.subscribe("logs", pubkey(mentions[0]))


_KINDS: dict[str, Callable[[Client, Params], Subscription]] = {
    "account": _account,
    "logs": _logs,
    "program": _program,
    "root": lambda client, _: client.subscribe("root", None),
    "signature": _signature,
    "slot": lambda client, _: client.subscribe("slot", None),
}

# websockets reports each malformed handshake with a traceback; those are the clients' business.
_QUIET = logging.getLogger(__name__ + ".handshakes")
_QUIET.setLevel(logging.CRITICAL)
