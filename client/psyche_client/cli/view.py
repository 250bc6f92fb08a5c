"""The live view: plain values (state.py) become what a terminal shows. Pure but for `LiveView`."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from psyche_client.cli.figures import chain_facts, result_facts, seconds_left, wire_facts
from psyche_client.cli.output import count_bytes, harmless
from psyche_client.cli.plot import bar, curve
from psyche_client.cli.state import State

WIDTH_MAX = 110
TALL_LINES = 36
CURVE_LOW = 5
BORDER_LINES, PROMPT_LINES = 2, 2
NAME_WIDTH = 14
LOG_TALL, LOG_LOW = 5, 3
REFRESH_PER_SECOND = 4
ROLES = {"trainer+witness": "both", "train+witness": "both", "trainer": "train"}
BAD_STATES = ("stopped", "killed", "dropped", "ejected", "behind")
GOOD_STATES = ("active", "ready")


def render(
    state: State, *, now: float, width: int = 80, height: int = 24, plain: bool = False
) -> RenderableType:
    """The whole picture; what is least needed gives way where the terminal is low.

    Args:
        state: as in state.py.
        now: unix seconds, against which the phase's deadline is shown.
        width: characters of a line of the terminal.
        height: lines of the terminal.
        plain: use ASCII alone.
    """
    width = min(width, WIDTH_MAX)
    left = width * 11 // 20
    right = width - left
    tall = height >= TALL_LINES
    loss = Text("\n".join(_loss_lines(state, right - 4, 8 if tall else CURVE_LOW, plain)))
    grid = Table.grid()
    grid.add_row(_box("members", members_table(state), left), _box("loss", loss, right))
    grid.add_row(
        _box("wire", _facts(wire_facts(state)), left),
        _box("chain", _facts(chain_facts(state)), right),
    )
    parts: list[RenderableType] = [headline(state, now=now, width=width), grid]
    if tall and state.get("peers"):
        parts.append(_box("peers", peers_table(state), width))
    lines = state.get("log", [])[-(LOG_TALL if tall else LOG_LOW) :]
    parts += [Text(f"  {line}", style="dim", no_wrap=True, overflow="ellipsis") for line in lines]
    return Group(*parts)


def headline(state: State, *, now: float, width: int) -> Text:
    """One line: run, epoch, round, phase, time left, and how far the run is."""
    total, step = state.get("total_steps") or 0, state.get("step", 0)
    line = Text(no_wrap=True, overflow="ellipsis")
    run = str(state.get("run") or "run")
    shown = run if len(run) <= NAME_WIDTH else run[: NAME_WIDTH - 2] + ".."
    line.append(f" {shown} ", style="bold reverse")
    line.append(f" epoch {state.get('epoch', 0)} round {state.get('round', 0)}  ")
    line.append(state.get("phase") or "starting", style="bold cyan")
    left = seconds_left(state, now=now)
    if left is not None:
        line.append(f", {left} s left")
    if total:
        line.append(f"  [{bar(step / total, width=max(8, min(24, width - 64)))}] {step}/{total}")
    return line


def members_table(state: State) -> Table:
    """Slot, name, role, state, speed and misses in a row of each member."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "name", "role", "state"):
        table.add_column(name, no_wrap=True, style="" if name else "dim")
    table.add_column("tok/s", justify="right", no_wrap=True)
    table.add_column("missed", justify="right", no_wrap=True)
    for entry in sorted(state.get("members", []), key=_member_order):
        word, role = str(entry.get("state", "")), str(entry.get("role", ""))
        style = "red" if word in BAD_STATES else "green" if word in GOOD_STATES else "yellow"
        speed, slot = entry.get("tokens_per_second"), entry.get("slot")
        table.add_row(
            "" if slot is None else str(slot),
            str(entry.get("name", "")),
            ROLES.get(role, role),
            Text(word, style=style),
            "" if speed is None else f"{speed:.0f}",
            str(entry.get("misses") or ""),
        )
    return table


def peers_table(state: State) -> Table:
    """Who talks to whom, by which path, how fast."""
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in ("client", "peer", "path"):
        table.add_column(name, no_wrap=True)
    table.add_column("throughput", justify="right", no_wrap=True)
    names = {entry.get("slot"): entry.get("name") for entry in state.get("members", [])}
    for peer in state.get("peers", []):
        speed = peer.get("bytes_per_second")
        table.add_row(
            str(peer.get("of", "")),
            str(peer.get("name") or names.get(peer.get("slot")) or f"slot {peer.get('slot')}"),
            str(peer.get("path", "")),
            "" if speed is None else f"{count_bytes(speed)}/s",
        )
    return table


def plain_line(state: State, *, now: float) -> str:
    """The state in one line of a log, for where there is no terminal."""
    losses = state.get("losses", [])
    parts = [
        f"epoch {state.get('epoch', 0)} round {state.get('round', 0)}",
        f"step {state.get('step', 0)}/{state.get('total_steps') or '?'}",
        state.get("phase") or "starting",
        f"{sum(m.get('state') in GOOD_STATES for m in state.get('members', []))} members",
    ]
    left = seconds_left(state, now=now)
    if left is not None:
        parts[2] += f" ({left} s left)"
    if losses:
        parts.append(f"loss {losses[-1][1]:.3f}")
    if state.get("checkpoint"):
        parts.append(f"checkpoint of step {state['checkpoint']['step']}")
    if state.get("payloads"):
        parts.append(f"{count_bytes(state['payload_bytes'] / state['payloads'])} a payload")
    return "  ".join(parts)


def summary(
    result: dict[str, Any],
    state: State,
    *,
    width: int = 80,
    height: int | None = None,
    plain: bool = False,
) -> RenderableType:
    """What a run came to: figures, loss curve, and text that the model wrote.

    Args:
        result: the demo's JSON object.
        state: the last state, for the curve.
        width: characters of a line of the terminal.
        height: lines of the terminal, into which the page shall fit; None: there is no terminal.
        plain: use ASCII alone.
    """
    width = min(width, WIDTH_MAX)
    left = width * 11 // 20
    facts = result_facts(result)
    around_curve = 1 + len(_loss_words(state))  # its axis, and the lines below
    curve_height = max(CURVE_LOW, len(facts) - around_curve)
    loss = Text("\n".join(_loss_lines(state, width - left - 4, curve_height, plain)))
    grid = Table.grid()
    grid.add_row(_box("what it came to", _facts(facts), left), _box("loss", loss, width - left))
    parts: list[RenderableType] = [grid]
    if result.get("sample"):
        taken = max(len(facts), curve_height + around_curve) + 2 * BORDER_LINES + PROMPT_LINES
        fits = None if height is None else max(1, height - taken)
        lines = _broken(harmless(str(result["sample"]).rstrip(), plain=plain), width - 4)[:fits]
        parts.append(_box("what the model writes", Text("\n".join(lines)), width))
    return Group(*parts)


class LiveView:
    """Shows a state again and again: a picture on a terminal, a line now and then elsewhere.

    Example:
        with LiveView() as view:
            while running:
                view.show(state)
    """

    def __init__(self, stream: TextIO | None = None, *, every_seconds: float = 5.0) -> None:
        self._stream = sys.stderr if stream is None else stream
        self.console = Console(file=self._stream)
        self.live = self.console.is_terminal and not self.console.is_dumb_terminal
        self.plain = not (self.console.encoding or "").lower().startswith("utf")
        self._every_seconds = every_seconds
        self._last = 0.0
        self._shown = ""
        self._screen: Live | None = None

    def __enter__(self) -> Self:
        """Takes the terminal."""
        if self.live:
            self._screen = Live(
                console=self.console, auto_refresh=False, transient=True, vertical_overflow="crop"
            )
            self._screen.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Gives the terminal back as it was."""
        self.close()

    def close(self) -> None:
        """Takes the picture away; later lines appear where it was."""
        if self._screen is not None:
            self._screen.stop()
            self._screen = None
            self.live = False

    def show(self, state: State) -> None:
        """Shows the state, if the last time was long enough ago."""
        now = time.time()
        if self._screen is not None:
            if now - self._last >= 1 / REFRESH_PER_SECOND:
                picture = render(
                    state,
                    now=now,
                    width=self.console.width,
                    height=self.console.height,
                    plain=self.plain,
                )
                self._screen.update(picture, refresh=True)
                self._last = now
        elif now - self._last >= self._every_seconds:
            line = plain_line(state, now=now)
            if line != self._shown:
                self._stream.write(line + "\n")
                self._stream.flush()
                self._shown = line
            self._last = now

    def finish(self, result: dict[str, Any], state: State) -> None:
        """Writes the summary in place of the picture."""
        self.close()
        height = self.console.height if self.console.is_terminal else None
        width = self.console.width
        self.console.print(summary(result, state, width=width, height=height, plain=self.plain))


def _box(title: str, inside: RenderableType, width: int) -> Panel:
    return Panel(inside, title=title, title_align="left", width=width, border_style="dim")


def _facts(facts: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    for name, value in facts:
        table.add_row(name, value)
    return table


def _loss_lines(state: State, width: int, height: int, plain: bool) -> list[str]:
    losses = [(float(step), float(loss)) for step, loss in state.get("losses", [])]
    return curve([losses], width=width, height=height, plain=plain) + _loss_words(state)


def _loss_words(state: State) -> list[str]:
    losses, held_out = state.get("losses", []), state.get("validation", [])
    words = [f"now {losses[-1][1]:.3f}, at first {losses[0][1]:.3f}"] if losses else []
    return words + [f"held out {loss:.3f} at step {step}" for step, loss in held_out[-1:]]


def _broken(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` characters, without blank ones."""
    lines = [line for line in text.splitlines() if line.strip()]
    return [line[at : at + width] for line in lines for at in range(0, len(line), width)]


def _member_order(entry: dict[str, Any]) -> tuple[int, str]:
    slot = entry.get("slot")
    return (slot if isinstance(slot, int) else 1 << 16, str(entry.get("name", "")))
