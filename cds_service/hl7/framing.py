"""MLLP's frames: messages out of a byte stream as it comes, and a message into the bytes that carry it.

A frame is <VT> message <FS><CR> (HL7 v2 Transport Specification: MLLP, Release 1). Senders are taken as they are:
without the <CR>, with line ends between frames, with a frame that begins before the last one ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

START, END, CARRIAGE_RETURN = b"\x0b", b"\x1c", b"\r"

_START_OR_END = re.compile(b"[%b%b]" % (START, END))
_NOT_A_LINE_END = re.compile(rb"[^\r\n]")


class Fault(StrEnum):
    """Why bytes are no message; after the last two nothing more can be read from the stream."""

    STRAY = "stray"  # bytes between two frames: passed over
    EMPTY = "empty"  # a frame that holds nothing, or line ends only
    CUT_OFF = "cut_off"  # the next frame began before this one ended
    UNFINISHED = "unfinished"  # the stream ended, or was given up, inside a frame
    TOO_LARGE = "too_large"  # a frame over the limit
    NO_START = "no_start"  # as many bytes as a message may have, and no frame began


_FATAL = frozenset({Fault.TOO_LARGE, Fault.NO_START})


@dataclass(frozen=True, slots=True)
class Broken:
    """Bytes that are no message; `content` is what came of the frame, at most the limit, empty outside of one."""

    fault: Fault
    content: bytes = b""

    @property
    def is_fatal(self) -> bool:
        """Whether nothing more can be read from the stream."""
        return self.fault in _FATAL


def framed(message: bytes) -> bytes:
    """The message in its frame."""
    return START + message + END + CARRIAGE_RETURN


class Deframer:
    """Takes a stream in pieces cut anywhere; what it gives depends on the bytes, not on the cuts. Raises nothing."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frame: bytearray | None = None  # what has come of the open frame; None between frames
        self._passed_over = 0  # bytes since the last frame
        self._is_stray = False  # whether those were more than line ends, said once
        self._is_over = False

    @property
    def in_frame(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._frame is not None

    def feed(self, data: bytes) -> Iterator[bytes | Broken]:
        """Messages and faults in the order they end; to be taken to its end before the next piece is fed."""
        at = 0
        while at < len(data) and not self._is_over:
            mark = _START_OR_END.search(data, at)
            stop = mark.start() if mark else len(data)
            if stop > at:
                piece = data[at:stop]
                yield from self._pass_over(piece) if self._frame is None else self._take(piece)
            if mark and not self._is_over:
                yield from self._start_of_frame() if mark[0] == START else self._end_of_frame()
            at = stop + 1

    def close(self) -> Iterator[Broken]:
        """The stream has ended: what was begun and not ended."""
        frame, self._frame, self._is_over = self._frame, None, True
        if frame:
            yield Broken(Fault.UNFINISHED, bytes(frame))

    def _take(self, piece: bytes) -> Iterator[Broken]:
        frame = self._frame or bytearray()
        frame += piece
        self._frame = frame
        if len(frame) > self._max_bytes:
            self._frame, self._is_over = None, True
            yield Broken(Fault.TOO_LARGE, bytes(frame[: self._max_bytes]))

    def _pass_over(self, piece: bytes) -> Iterator[Broken]:
        self._passed_over += len(piece)
        if not self._is_stray and _NOT_A_LINE_END.search(piece):
            self._is_stray = True
            yield Broken(Fault.STRAY)
        if self._passed_over > self._max_bytes:
            self._is_over = True
            yield Broken(Fault.NO_START)

    def _start_of_frame(self) -> Iterator[Broken]:
        cut_off, self._frame = self._frame, bytearray()
        if cut_off is not None:
            yield Broken(Fault.CUT_OFF, bytes(cut_off)) if cut_off else Broken(Fault.EMPTY)

    def _end_of_frame(self) -> Iterator[bytes | Broken]:
        if self._frame is None:
            yield from self._pass_over(END)
            return
        message, self._frame = bytes(self._frame), None
        self._passed_over, self._is_stray = 0, False
        yield message if _NOT_A_LINE_END.search(message) else Broken(Fault.EMPTY)
