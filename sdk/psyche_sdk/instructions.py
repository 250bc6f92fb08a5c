"""A pure builder for each instruction of the program, and the types of their arguments.

Builders take keyword arguments only and return a solders `Instruction`; nothing is sent.

Example:
    args = instructions.CommitArgs(epoch=0, round=3, slot=1, commitment=digest, ...)
    accounts = dict(wallet=me, run=run, roster=roster, rounds=rounds)
    built = instructions.commit(**accounts, args=args, transition=False)
"""

from psyche_sdk._generated.instructions import (
    NAMES,
    abort,
    allocate,
    attest,
    attest_state,
    behind,
    close_run,
    commit,
    create_run,
    join,
    leave,
    pause,
    ready,
    resume,
    reveal_state,
    set_endpoint,
    set_weight,
    tick,
    update_config,
    update_model,
)
from psyche_sdk._generated.types import (
    AttestArgs,
    AttestStateArgs,
    CommitArgs,
    CreateRunArgs,
    JoinArgs,
    MemberArgs,
    ReadyArgs,
    RevealStateArgs,
    RunConfig,
    SetEndpointArgs,
    SetWeightArgs,
    UpdateConfigArgs,
    UpdateModelArgs,
)

__all__ = [
    "NAMES",
    "AttestArgs",
    "AttestStateArgs",
    "CommitArgs",
    "CreateRunArgs",
    "JoinArgs",
    "MemberArgs",
    "ReadyArgs",
    "RevealStateArgs",
    "RunConfig",
    "SetEndpointArgs",
    "SetWeightArgs",
    "UpdateConfigArgs",
    "UpdateModelArgs",
    "abort",
    "allocate",
    "attest",
    "attest_state",
    "behind",
    "close_run",
    "commit",
    "create_run",
    "join",
    "leave",
    "pause",
    "ready",
    "resume",
    "reveal_state",
    "set_endpoint",
    "set_weight",
    "tick",
    "update_config",
    "update_model",
]
