"""Ends this process when the one that started it is gone, and makes room for its connections."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_FILES_WANTED = 4_096
_WATCH_SECONDS = 1.0


def end_with_parent(parent_pid: int) -> bool:
    """Asks the kernel for SIGTERM when the parent dies; False where that cannot be had.

    The kernel means the parent's thread that started this process: it must outlive the chain.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        return False
    if os.getppid() != parent_pid:  # It died before the kernel was asked.
        os.kill(os.getpid(), signal.SIGTERM)
    return True


async def watch_parent(parent_pid: int, gone: asyncio.Event) -> None:
    """Sets `gone` when the parent is no longer `parent_pid`: for systems without the signal."""
    while os.getppid() == parent_pid:
        await asyncio.sleep(_WATCH_SECONDS)
    gone.set()


def raise_file_limit() -> None:
    """Raises the soft limit of open files towards what the connection limits may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
