"""Many short texts in one buffer, decoded when one is asked for: a tenth of a million of them are a few megabytes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BETWEEN = "\n"
_FENCED = 32


class Texts:
    """Texts by row: UTF-8 one after the other in `content`, each of as many bytes as `lengths` says."""

    __slots__ = ("_content", "_starts")

    def __init__(self, content: NDArray[np.uint8], lengths: NDArray[np.integer[Any]]) -> None:
        starts = np.zeros(len(lengths) + 1, np.uint32)
        np.cumsum(lengths, out=starts[1:])
        if starts[-1] != len(content):
            raise ValueError(f"{len(content)} bytes of text where its lengths say {starts[-1]}")
        self._content = content.tobytes()
        self._starts = starts.data

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """The same texts in one buffer."""
        return cls(*packed(texts))

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self._starts) - 1

    def __getitem__(self, row: int) -> str:
        """The text of a row."""
        return self._content[self._starts[row] : self._starts[row + 1]].decode()

    def __iter__(self) -> Iterator[str]:
        """Each text, by row."""
        return map(self.__getitem__, range(len(self)))


class TextLists:
    """A few texts for each row, kept as one of several lines."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Texts) -> None:
        self._lines = lines

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._lines)

    def __getitem__(self, row: int) -> tuple[str, ...]:
        """The texts of a row, which may be none."""
        found = self._lines[row]
        return tuple(found.split(_BETWEEN)) if found else ()

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """The texts of each row."""
        return map(self.__getitem__, range(len(self)))


class Keys(Mapping[str, int]):
    """The row each of some texts stands for, found by halving: `keys` are in order, `rows` go along."""

    __slots__ = ("_fences", "_keys", "_rows")

    def __init__(self, keys: Texts, rows: NDArray[np.integer[Any]]) -> None:
        self._keys = keys
        self._rows = rows.data
        # The first halvings, ten times faster in a list than in a buffer.
        self._fences = [keys[at] for at in range(0, len(keys), _FENCED)]

    @classmethod
    def of(cls, rows: Mapping[str, int]) -> Keys:
        """The same mapping in two buffers."""
        ordered = sorted(rows)
        return cls(Texts.of(ordered), np.array([rows[key] for key in ordered], np.uint16))

    def __getitem__(self, key: str) -> int:
        """The row of a text; KeyError where it stands for none."""
        last = bisect_right(self._fences, key) * _FENCED
        at = bisect_left(self._keys, key, max(0, last - _FENCED), min(last, len(self)))
        if at == len(self) or self._keys[at] != key:
            raise KeyError(key)
        return int(self._rows[at])

    def __iter__(self) -> Iterator[str]:
        """Every text that stands for a row."""
        return iter(self._keys)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._keys)


def packed(texts: Iterable[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """The two buffers of `Texts`."""
    encoded = [text.encode() for text in texts]
    return np.frombuffer(b"".join(encoded), np.uint8), np.array([len(text) for text in encoded], np.uint16)


def as_lines(texts: Sequence[str]) -> str:
    """The texts of one row of `TextLists`."""
    return _BETWEEN.join(texts)
