"""What the gate and the shadow report say, in the language of the page: their own English words as tables."""

from __future__ import annotations

from cds_service.cdshooks.wording import Words
from cds_service.i18n import msgid
from cds_service.state_words import CLASSES

# The texts of training/gate.py, which the service never imports.
REASONS = frozenset(
    {
        msgid("every file is the one that was published"),
        msgid("served as trained"),
        msgid("explained as trained"),
        msgid("clear patients in order"),
        msgid("no patient both taught and tested"),
        msgid("the data come from one source"),
        msgid("only the allowed columns"),
        msgid("patients of this class among the test rows"),
        msgid("neither too many nor few"),
        msgid("told apart without an error, so no slope can be fitted: look for the answer among the inputs"),
        msgid("not too extreme, not flat"),
        msgid("better than saying the base rate"),
        msgid("against the model in service"),
        msgid("against the best simple score"),
        msgid("over what chance gives"),
        msgid("over the best simple score"),
        msgid("the first of its task"),
        msgid("on the survey"),
        msgid("the model in service on these labels: adjudicate them first"),
        msgid("one patient, in milliseconds"),
        msgid("every section is there"),
    }
)


def gate_reason(text: str, words: Words) -> str | None:
    """The reason in the page's language; None for one that is not of these tables, another release's for one."""
    return words.t(text) if text in REASONS else None


def answer_change(change: str, words: Words) -> str:
    """`low to high`, as the shadow report has it, as a person reads it: bands of risk or states."""
    return " → ".join(_answer(name, words) for name in change.split(" to "))


def _answer(name: str, words: Words) -> str:
    return words.t(CLASSES[name]) if name in CLASSES else words.bands.get(name, name)
