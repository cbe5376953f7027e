"""One field of a flat record to a number, text, flag or choice; BadRequest names the field and never its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cds_service.errors import BadRequest

LONGEST_TEXT = 200
# No vital sign, age or count comes near it; beyond it, and for NaN and infinities, the comparison is false.
_LARGEST = 1e12
# Digits with a decimal point or comma, as a person writes them: no exponent, no grouping of thousands.
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:[.,][0-9]{1,9})?")
_WORDS = {
    "true": True, "yes": True, "1": True, "si": True, "sí": True,
    "false": False, "no": False, "0": False,
}  # fmt: skip


def number(name: str, value: Any) -> float:
    """A finite number; text may use a decimal comma."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value.strip().replace(",", "."))
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        raise BadRequest("not a number", where=name)
    return float(value)


def text(name: str, fields: Mapping[str, Any]) -> str | None:
    """The text of a field without blanks around it; None when nothing is left or it was not given."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value:
        raise BadRequest(f"not a text of at most {LONGEST_TEXT} characters", where=name)
    return value.strip() or None


def flag(name: str, fields: Mapping[str, Any]) -> bool | None:
    """True or false as JSON, a form or a spreadsheet says it, in English or Spanish."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    said = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if said is None:
        raise BadRequest("send true or false", where=name)
    return said


def choice(name: str, fields: Mapping[str, Any], choices: Mapping[str, str | None]) -> str | None:
    """What the word, in any case, stands for."""
    said = text(name, fields)
    if said is None:
        return None
    if said.lower() not in choices:
        raise BadRequest(f"send one of {', '.join(sorted({*filter(None, choices.values())}))}", where=name)
    return choices[said.lower()]
