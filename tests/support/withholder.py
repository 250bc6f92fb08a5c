"""A client that trains and commits, and where it is the only witness keeps its payload to itself.

    python -m support.withholder join ...    # as `psyche join ...`

Elected it attests to what it holds, its own payload included; so the payload is accepted, and
nobody else has it. Else it serves as everybody does, only later: when it is known who witnesses.
"""

from __future__ import annotations

import sys

from psyche_client.cli.app import run
from psyche_client.keeper import Keeper
from psyche_client.node import Node

own: set[bytes] = set()
served: set[bytes] = set()
nodes: list[Node] = []


def remember(self: Node, **parts: object) -> None:
    """Whoever serves asks this client's loop what it sees."""
    nodes.append(self)
    make(self, **parts)  # type: ignore[arg-type]


def hold_back(self: Keeper, commitment: bytes) -> None:
    """One more payload of its own."""
    own.add(commitment)
    held_back(self, commitment)


def may_serve(self: Keeper, commitment: bytes) -> bool:
    """Not its own, unless it knows that it does not witness it."""
    if commitment in own and commitment not in served:
        target = nodes[-1].sight.target
        here = target is not None and commitment in target.commitments.values()
        if target is None or not here or not target.entropy_stored or target.witness is not None:
            return False
        served.add(commitment)
    return may(self, commitment)


make, held_back, may = Node.__init__, Keeper.hold_back, Keeper.may_serve
Node.__init__ = remember  # type: ignore[method-assign]
Keeper.hold_back = hold_back  # type: ignore[method-assign]
Keeper.may_serve = may_serve  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
