"""A bar on a terminal while a command works through many rows; nothing where standard error is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

_WIDTH = 30
_EVERY_S = 0.1


def progress(items: Iterable[T], total: int) -> Iterator[T]:
    """The items as they come, with a bar of how many of `total` came."""
    if not sys.stderr.isatty() or not total:
        yield from items
        return
    shown, start = 0.0, monotonic()
    for count, item in enumerate(items, 1):
        yield item
        now = monotonic()
        if now - shown >= _EVERY_S or count == total:
            shown = now
            print(f"\r{_bar(count, total, now - start)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _bar(count: int, total: int, seconds: float) -> str:
    done = min(_WIDTH, _WIDTH * count // total)
    left = seconds / count * max(0, total - count)
    return f"[{'#' * done}{'.' * (_WIDTH - done)}] {count} of {total}, {left:.0f} s left "
