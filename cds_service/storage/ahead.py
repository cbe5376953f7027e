"""What one process reads while another works on what was read before: two processors at once."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import msgspec

from cds_service.errors import CdsError, Unavailable

T = TypeVar("T")


def read_ahead(read: Callable[[], Iterator[T]], kind: Any) -> Iterator[T]:
    """What `read` gives, called in a process of its own: both are handed over, so both are importable by name.

    `kind` is the type of what it gives. A CdsError there is raised here; Unavailable where the process ended early.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(read, theirs), daemon=True)
    process.start()
    theirs.close()
    decode = msgspec.msgpack.Decoder(kind).decode
    try:
        while (told := _heard(ours)) is not None:
            yield decode(told)
    finally:
        ours.close()
        process.terminate()
        process.join()


def _heard(ours: Connection) -> bytes | None:
    """What the process told next, None at its end."""
    try:
        told: bytes | CdsError | None = ours.recv()
    except EOFError:
        raise Unavailable("the process that reads ended early", where="database") from None
    if isinstance(told, CdsError):
        raise told
    return told


def _tell(read: Callable[[], Iterator[T]], theirs: Connection) -> None:
    """The process: tell all that is read, at most one ahead of who listens; whoever interrupts them ends it too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # rows make no cycles, and nothing else is made here
    encode = msgspec.msgpack.Encoder().encode
    try:
        for item in read():
            theirs.send(encode(item))
        theirs.send(None)
    except CdsError as failure:
        theirs.send(failure)
