"""Structured logs: one event a line as JSON, to standard output or a file, with no way for patient data in.

Only fields of `FIELDS` are written, and only plain values; what else is passed is left out and counted in
`left_out`. Everything is JSON, so a line feed in a value cannot start a line of its own.
"""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from cds_service.errors import ConfigurationError

# Ids, counts and names of our own making. A field is added here when no value of it can name or describe a patient;
# a test finds every field the code logs that is not.
FIELDS = frozenset(
    {
        "address",
        "alarm",
        "complete",
        "count",
        "error_id",
        "exception",
        "faults",
        "frames",
        "level",
        "message_id",
        "milliseconds",
        "model",
        "not_used",
        "peer",
        "prediction_id",
        "reason",
        "replayed",
        "request_id",
        "restarts",
        "revision",
        "route",
        "sender",
        "service",
        "shown",
        "signal",
        "site",
        "status",
        "task",
        "where",
    }
)

request_id: ContextVar[str] = ContextVar("request_id", default="")

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
_TEXT_LIMIT = 200
_LIST_LIMIT = 32
_SCALARS = frozenset({bool, int, float, type(None)})


class _Sink:
    """Where lines go; every logger shares it, so a later `configure` moves loggers already in use."""

    out: BinaryIO | None = None
    failing = False

    def write(self, line: bytes) -> None:
        """Write one whole line in one call, so that lines of several threads do not mix.

        A line that cannot be written, on a full disk above all, is lost and its call goes on: standard error says
        so once.
        """
        out = self.out or sys.stdout.buffer
        try:
            out.write(line)
            out.flush()
            self.failing = False
        except OSError as error:
            if not self.failing:
                self.failing = True
                with suppress(OSError):  # it may be on the same disk
                    print(f"cds: the log cannot be written: {error.strerror}", file=sys.stderr, flush=True)


_sink = _Sink()


def configure(path: Path | None = None) -> None:
    """Send events to `path`, else to standard output; ConfigurationError when the file cannot be written."""
    try:
        out = None if path is None else path.open("ab")
    except OSError as error:
        raise ConfigurationError(f"cannot be written: {error.strerror}", where="CDS_LOG_FILE") from None
    before, _sink.out = _sink.out, out
    if before is not None:
        with suppress(OSError):  # what it could not write before
            before.close()


class Logger:
    """Writes events of one module."""

    __slots__ = ("_module",)

    def __init__(self, module: str) -> None:
        self._module = module

    def info(self, event: str, **fields: Any) -> None:
        """What happened as it should."""
        _sink.write(_line("info", event, self._module, fields))

    def warning(self, event: str, **fields: Any) -> None:
        """What did not, and may right itself."""
        _sink.write(_line("warning", event, self._module, fields))

    def error(self, event: str, **fields: Any) -> None:
        """What somebody must look at."""
        _sink.write(_line("error", event, self._module, fields))


def get_logger(name: str) -> Logger:
    """A logger whose events carry the module's name as `module`."""
    return Logger(name)


def frames(error: BaseException) -> list[str]:
    """Where the error was raised, as file:line of the innermost calls; its message may hold data and stays out."""
    calls = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{Path(call.filename).name}:{call.lineno} {call.name}" for call in calls]


def _line(level: str, event: str, module: str, fields: dict[str, Any]) -> bytes:
    """The event as it is written: time, level and name first, then the fields that may be."""
    line: dict[str, Any] = {"time": datetime.now(UTC), "level": level, "event": event, "module": module}
    if identifier := request_id.get():
        line["request_id"] = identifier
    left_out = 0
    for name, value in fields.items():
        if name not in FIELDS:
            left_out += 1
        elif type(value) in _SCALARS:
            line[name] = value
        elif (plain := _plain(value)) is not _NOT_PLAIN:
            line[name] = plain
        else:
            left_out += 1
    if left_out:
        line["left_out"] = left_out
    return _render(line)


_NOT_PLAIN = object()


def _plain(value: Any) -> Any:
    """The value if it is a short text, a number or a list of those."""
    if isinstance(value, str):
        return str(value)[:_TEXT_LIMIT]
    if type(value) in _SCALARS:
        return value
    if isinstance(value, list | tuple):
        plain = [_plain(item) for item in value[:_LIST_LIMIT]]
        return _NOT_PLAIN if any(item is _NOT_PLAIN for item in plain) else plain
    return _NOT_PLAIN


def _render(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, option=_OPTIONS)
    except orjson.JSONEncodeError:  # half a surrogate pair, or an integer over 64 bits
        plain = {name: ascii(str(value)) for name, value in line.items()}
        return orjson.dumps(plain, option=_OPTIONS)
