"""Full structure checks with hl7apy: strict mode, and the explanation of what was refused.

The library costs thousands of times the reader, grows faster than its input and drops segments it has no place for
without a word. So it sees only messages within narrow limits, and the segments it returns are counted. Its texts of
errors name places, never values; its warnings name values and are not asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cds_service.domain.text import bounded
from cds_service.errors import InvalidMessage
from cds_service.hl7.header import header_of, without_mark
from cds_service.hl7.syntax import Syntax
from cds_service.hl7.tokens import Segment, tokenize

# A message at these limits takes the library about a second; chosen by us.
MAX_BYTES = 64 * 1024
MAX_SEGMENTS = 300
MAX_SEPARATORS = 6_000
MAX_REPETITIONS = 300
MAX_PROBLEMS = 50

# hl7apy knows 2.8.2 as the newest; 2.9 changes nothing of what is read here.
_READ_AS = {"2.9": "2.8.2", "2.7.1": "2.7"}
_MISSING = re.compile(r"Missing required child ([A-Z0-9]{3})\.\1_(\d+)")

Problem = tuple[str, str]


def require_valid(raw: bytes) -> None:
    """Raise InvalidMessage with every problem when the message has not the structure of its type; for strict mode."""
    problems = explain(raw)
    if problems:
        where, text = problems[0]
        raise InvalidMessage(text, where=where, code=100, details=tuple(problems[1:]))


def explain(raw: bytes) -> list[Problem]:
    """Problems of a message as (place, text), at most MAX_PROBLEMS; empty when the library finds none."""
    raw = without_mark(raw)
    try:
        header = header_of(raw)
        _check_size(raw, header.syntax)
        segments = tokenize(raw, header.syntax, declared=header.charset).segments
    except InvalidMessage as error:
        return [(error.where, error.text)]
    return [problem for problem, _ in zip(_problems(segments), range(MAX_PROBLEMS), strict=False)]


def _check_size(raw: bytes, syntax: Syntax) -> None:
    separators = sum(raw.count(mark.encode()) for mark in syntax[:3])
    counts = (
        (len(raw), MAX_BYTES),
        (max(raw.count(b"\r"), raw.count(b"\n")), MAX_SEGMENTS),
        (separators, MAX_SEPARATORS),
        (raw.count(syntax.repetition.encode()), MAX_REPETITIONS),
    )
    if any(count > limit for count, limit in counts):
        raise InvalidMessage("is too large to be checked against the structure of its type", where="MSH", code=207)


def _problems(segments: list[Segment]) -> Iterator[Problem]:
    from hl7apy.consts import VALIDATION_LEVEL  # loaded on first use: it costs memory and start-up time
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message

    try:
        message = parse_message(_er7(segments), validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)
    except (HL7apyException, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # The library looks names up and raises plain errors for some it does not know; its texts may hold values.
        yield "MSH", f"the structure cannot be read ({type(error).__name__})"
        return
    if message.name is None:
        yield "MSH-9", "names no message structure of its version"
    returned = list(_segments_in(message))
    yield from _dropped(segments, returned)
    text = _first_error(message)
    if text and not _MISSING.fullmatch(text):  # a missing field is found again in its segment, with its place
        yield "MSH-9", bounded(text, 200)
    for segment, place in zip(returned, _places(returned), strict=True):
        text = _first_error(segment)
        missing = _MISSING.fullmatch(text)
        if text:
            yield (f"{place}-{missing[2]}", "is required") if missing else (place, bounded(text, 200))


def _first_error(element: Any) -> str:
    """What the library objects to first, empty when it does not."""
    from hl7apy.exceptions import HL7apyException

    try:
        element.validate()
    except HL7apyException as error:
        return str(error)
    except (AttributeError, KeyError, TypeError) as error:
        return f"cannot be checked ({type(error).__name__})"
    return ""


def _er7(segments: list[Segment]) -> str:
    """The message as the library wants it: ends alike, no blank lines, in a version it knows."""
    head, *rest = segments
    fields = _stripped(head)
    if len(fields) > 12:
        fields[12] = _READ_AS.get(head.part(12), fields[12])
    field = head.syntax.field
    lines = [head.id + field + field.join(fields[2:]), *(field.join(_stripped(segment)) for segment in rest)]
    return "\r".join(lines)


def _stripped(segment: Segment) -> list[str]:
    return [sent.strip() for sent in segment.fields]


def _segments_in(element: Any) -> Iterator[Any]:
    for child in element.children:
        if child.classname == "Segment":
            yield child
        elif child.classname == "Group":
            yield from _segments_in(child)


def _places(segments: list[Any]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for segment in segments:
        seen[segment.name] += 1
        yield f"{segment.name}[{seen[segment.name]}]"


def _dropped(segments: list[Segment], returned: list[Any]) -> Iterator[Problem]:
    sent = Counter(segment.id for segment in segments)
    kept = Counter(segment.name for segment in returned)
    for kind, count in sorted((sent - kept).items()):
        yield kind, f"{count} of {sent[kind]} have no place in the structure of this message"
