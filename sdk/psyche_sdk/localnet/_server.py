"""`Localnet`: the embedded chain in the caller's event loop."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from solders.account import Account
from solders.pubkey import Pubkey

from psyche_sdk.localnet import _state
from psyche_sdk.localnet._bank import Bank
from psyche_sdk.localnet._config import SLOT_MS_DEFAULT, LocalnetConfig
from psyche_sdk.localnet._http import HttpServer
from psyche_sdk.localnet._methods import METHODS
from psyche_sdk.localnet._params import Params
from psyche_sdk.localnet._pubsub import PubSub
from psyche_sdk.localnet._rpc import answer_body
from psyche_sdk.localnet._slots import UNIX_SECONDS_LIMIT, SlotsStart
from psyche_sdk.localnet.errors import (
    LocalnetError,
    NotManual,
    PortInUse,
    StateError,
    invalid_params,
)

_LOG = logging.getLogger(__name__)

SAVE_SECONDS = 30.0
_PORT_TRIES = 50  # for a free port whose next one, the websocket's, is free too
_CATCH_UP_MAX = 64  # slots made up for at once; after a longer sleep the rest is left out
_ADVANCE_MAX = 100_000


class Localnet:
    """A Solana chain in this process; it runs in the event loop that starts it.

    Example:
        async with Localnet(slot_ms=50, programs={program_id: "coordinator.so"}) as chain:
            client = AsyncClient(chain.url)
    """

    def __init__(
        self,
        port: int = 0,
        slot_ms: int = SLOT_MS_DEFAULT,
        programs: Mapping[Pubkey, str | Path | bytes] | None = None,
        *,
        state: str | Path | None = None,
        unix_seconds: float | None = None,
        seed: bytes | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        path = None if state is None else Path(state)
        self._set_up(LocalnetConfig(port, host, slot_ms, programs or {}, path, unix_seconds, seed))

    @classmethod
    def from_config(cls, config: LocalnetConfig) -> Localnet:
        """Returns a chain, not yet started, that runs as `config` says."""
        chain = cls.__new__(cls)
        chain._set_up(config)
        return chain

    def _set_up(self, config: LocalnetConfig) -> None:
        self.config = config
        self._port = 0
        self._bank: Bank | None = None
        self._http: HttpServer | None = None
        self._pubsub: PubSub | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._methods = METHODS | {"localnetAdvance": self._advance_method}

    @property
    def port(self) -> int:
        """The port of JSON-RPC, once started."""
        return self._port

    @property
    def url(self) -> str:
        """Where JSON-RPC answers."""
        return f"http://{self.config.host}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Where subscriptions are taken."""
        return f"ws://{self.config.host}:{self._port + 1}"

    @property
    def slot(self) -> int:
        """The current slot."""
        return self._started().slots.slot

    @property
    def unix_seconds(self) -> float:
        """The chain's time, as programs see it rounded down."""
        return self._started().slots.unix_seconds

    async def start(self) -> Localnet:
        """Restores or makes the chain, listens, and starts the slots.

        Raises PortInUse, StateError or ProgramError; nothing is left running then.
        """
        if self._bank is not None:
            raise LocalnetError("this chain has been started already")
        bank = self._make_bank()
        self._http, self._pubsub = HttpServer(self._handle), PubSub(bank, self.config.slot_ms)
        await self._listen(self._http, self._pubsub)
        if self.config.state is not None:
            try:
                _state.save(bank, self.config.state)  # not only once there is much to lose
            except StateError:
                await self._end_connections()
                raise
        self._bank = bank
        loop = asyncio.get_running_loop()
        if self.config.slot_ms:
            self._tasks.append(loop.create_task(self._run_slots()))
        if self.config.state is not None:
            self._tasks.append(loop.create_task(self._run_saves(self.config.state)))
        for task in self._tasks:
            task.add_done_callback(_tell_failure)
        return self

    async def stop(self) -> None:
        """Ends connections and slots, and saves the state if there is a file for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._end_connections()
        bank, self._bank = self._bank, None
        if bank is not None and self.config.state is not None:
            _state.save(bank, self.config.state)

    async def _end_connections(self) -> None:
        if self._pubsub is not None:
            await self._pubsub.stop()
        if self._http is not None:
            await self._http.stop()

    async def __aenter__(self) -> Localnet:
        """Starts the chain."""
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops the chain."""
        await self.stop()

    def advance(self, slots: int = 1, seconds: float | None = None) -> None:
        """Moves a manual chain `slots` on and its time by `seconds` (default 0.4 a slot).

        Raises NotManual if its slots follow the clock, ValueError for steps back.
        """
        bank = self._started()
        if self.config.slot_ms:
            raise NotManual
        if not 0 < slots <= _ADVANCE_MAX or (
            seconds is not None and not 0 <= seconds < UNIX_SECONDS_LIMIT
        ):
            raise ValueError(f"slots is 1 to {_ADVANCE_MAX}, seconds is not negative")
        passed = slots * SLOT_MS_DEFAULT / 1000 if seconds is None else seconds
        self._step(bank, slots, bank.slots.unix_seconds + passed)

    def airdrop(self, address: Pubkey, lamports: int) -> str:
        """Pays `lamports` from the faucet; returns the signature."""
        return self._started().airdrop(address, lamports).signature

    def account(self, address: Pubkey) -> Account | None:
        """The account at an address, or None."""
        return self._started().account(address)

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Puts an account in place, whatever was there: for tests."""
        self._started().set_account(address, account)

    def save(self, path: str | Path) -> None:
        """Writes the chain to a file; StateError if that fails."""
        _state.save(self._started(), Path(path))

    def _started(self) -> Bank:
        if self._bank is None:
            raise LocalnetError("the chain is not running")
        return self._bank

    def _make_bank(self) -> Bank:
        config = self.config
        saved = None if config.state is None else _state.load(config.state)
        now = time.time() if config.slot_ms or config.unix_seconds is None else config.unix_seconds
        if saved is None:
            seed = os.urandom(32) if config.seed is None else config.seed.rjust(32, b"\0")
            bank = Bank(SlotsStart(seed), now)
        else:
            bank = Bank(saved.start, max(now, saved.unix_seconds))
            saved.put_into(bank)
        bank.add_programs(config.programs)
        return bank

    async def _listen(self, http: HttpServer, pubsub: PubSub) -> None:
        wanted = self.config.port
        for _ in range(1 if wanted else _PORT_TRIES):
            try:
                port = await http.start(self.config.host, wanted)
            except OSError as error:
                raise _port_error(error, wanted) from error
            try:
                await pubsub.start(self.config.host, port + 1)
            except (OSError, OverflowError) as error:
                await http.stop()
                if wanted:
                    raise _port_error(error, port + 1) from error
                continue
            self._port = port
            return
        raise LocalnetError(f"found no two free ports in a row in {_PORT_TRIES} tries")

    def _step(self, bank: Bank, count: int, unix_seconds: float) -> None:
        bank.slots.step(count, unix_seconds)
        if self._pubsub is not None:
            self._pubsub.slot_changed(bank.slots.slot)

    async def _run_slots(self) -> None:
        bank = self._started()
        loop = asyncio.get_running_loop()
        seconds = self.config.slot_ms / 1000
        due = loop.time() + seconds
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            late = int((loop.time() - due) / seconds)
            self._step(bank, 1 + min(late, _CATCH_UP_MAX), time.time())
            due += seconds * (1 + late)

    async def _run_saves(self, path: Path) -> None:
        bank = self._started()
        saved = bank.slots.transactions
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            if bank.slots.transactions == saved:
                continue
            saved = bank.slots.transactions
            try:
                _state.save(bank, path)
            except StateError as error:
                _LOG.error("%s", error)

    def _advance_method(self, bank: Bank, params: Params) -> int:
        """localnetAdvance [slots, {"milliseconds": n}]: `advance` for other processes."""
        slots = params.integer(0, "slots")
        milliseconds = params.config(1).integer("milliseconds", slots * SLOT_MS_DEFAULT)
        try:
            self.advance(slots, milliseconds / 1000)
        except (NotManual, ValueError) as error:
            raise invalid_params(str(error)) from error
        return bank.slots.slot

    async def _handle(self, body: bytes) -> bytes:
        return await answer_body(self._started(), self._methods, body)


def _tell_failure(task: asyncio.Task[None]) -> None:
    # Nobody waits for these tasks: without this a chain could stand still in silence.
    if not task.cancelled() and task.exception() is not None:
        _LOG.critical("the chain stands still", exc_info=task.exception())


def _port_error(error: BaseException, port: int) -> BaseException:
    in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
    return PortInUse(port) if in_use else error
