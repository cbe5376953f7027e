"""The form for what was true: what it was sent, as the body of the labels' address, and what it shows again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from flask import request

from cds_service.cdshooks.wording import Words
from cds_service.domain.label import Kind, Label, Status
from cds_service.i18n import msgid
from cds_service.services.read_labels import LabelHistory
from cds_service.state_words import CLASSES
from cds_service.web.console.diagnoses import Suggestion, coded, suggestions

STATUSES = {
    Status.CURRENT: msgid("counts"),
    Status.REPLACED: msgid("was replaced"),
    Status.WITHDRAWN: msgid("was withdrawn"),
    Status.QUARANTINED: msgid("is held back"),
    Status.TEST: msgid("is test data"),
    Status.NO_LABEL: msgid("changes another"),
}
_KINDS = {
    Kind.WITHDRAWAL: msgid("taken back"),
    Kind.RELEASE: msgid("released"),
    Kind.CONFIRMATION: msgid("confirmed the rare disease"),
}
_SAW = {"yes": msgid("had seen the prediction"), "no": msgid("had not seen the prediction"), "unknown": ""}
# Why a label is held back, by the names of domain.quarantine's rules.
HELD_BACK = {
    "author-cap": msgid("too many from one person in a day"),
    "sender-cap": msgid("too many from one sender in a day"),
    "burst": msgid("too many from one person in a minute"),
    "other-author": msgid("changes what somebody else said"),
    "observed-before-prediction": msgid("speaks of a time before the prediction"),
    "contradicts-record": msgid("does not fit NEWS2"),
    "outvoted": msgid("several others say otherwise"),
    "moves-published-cases": msgid("would change the ranking of published cases too much"),
}
# Other forms of the page are none of its own.
_TAKEN_BY = ("console.take_label", "console.take_answer")
_SENT_AS_THEY_ARE = ("category", "saw_prediction", "comment", "supersedes")
_FACTS = ("category", "coding", "icu_admission")
_FIELDS = (*_SENT_AS_THEY_ARE, "icu_admission", "coding", "diagnosis")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the ledger as a row of the history."""

    id: str
    when: str
    who: str
    what: str
    saw: str
    now: str
    comment: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form shows: what was given so far, and the diagnoses that were found for the text typed."""

    given: Mapping[str, str]
    suggestions: list[Suggestion]


def label_body(more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The form as the body of the labels' address; empty fields are not said, `more` is said whatever was sent."""
    sent = _sent() | dict(more or {})
    body: dict[str, Any] = {name: sent[name] for name in _SENT_AS_THEY_ARE if name in sent}
    if "coding" in sent:
        system, _, code = sent["coding"].rpartition("|")
        body["diagnosis"] = {"system": system, "code": code}
    if "icu_admission" in sent:
        body["icu_admission"] = {"yes": True, "no": False}.get(sent["icu_admission"], sent["icu_admission"])
    return body


def is_search() -> bool:
    """Whether a diagnosis is to be looked for: one asks for it, or typed words and chose none."""
    sent = _sent()
    return "search" in request.form or (
        "diagnosis" in sent and "coding" not in sent and "withdraws" not in request.form
    )


def is_unchanged(own: Label | None) -> bool:
    """Whether the form says what this person said already, and no word more."""
    sent, said = _sent(), _said(own)
    return own is not None and "comment" not in sent and all(sent.get(name) == said.get(name) for name in _FACTS)


def asked(own: Label | None = None) -> Asked:
    """What this form was sent, else what this person said before, so that a correction is an edit of it."""
    given = _sent() if request.endpoint in _TAKEN_BY else _said(own)
    return Asked(given, suggestions(given.get("diagnosis", ""), given.get("coding", "")))


def history_rows(history: LabelHistory, words: Words, zone: tzinfo) -> list[Event]:
    """Every event about the prediction in words, oldest first."""
    return [_event(label, history, words, zone) for label in history.labels]


def _event(label: Label, history: LabelHistory, words: Words, zone: tzinfo) -> Event:
    t = words.t
    return Event(
        id=str(label.id),
        when=f"{label.received_at.astimezone(zone):%Y-%m-%d %H:%M}",
        who=label.by,
        what=", ".join(_facts(label, words)),
        saw=t(_SAW[label.saw_prediction]) if _SAW[label.saw_prediction] and label.kind is Kind.LABEL else "",
        now=t(STATUSES[history.statuses[label.id]])
        + (f" ({t(HELD_BACK[label.quarantine])})" if label.quarantine else ""),
        comment=history.comments.get(label.id, ""),
    )


def _facts(label: Label, words: Words) -> list[str]:
    t = words.t
    found = [t(_KINDS[label.kind])] if label.kind in _KINDS else []
    if label.category is not None:
        found.append(t(CLASSES[label.category]))
    if label.code is not None:
        found.append(coded(label.code_system or "", label.code))
    if label.icu_admission is not None:
        found.append(t("admitted to intensive care") if label.icu_admission else t("not admitted to intensive care"))
    return found


def _sent() -> dict[str, str]:
    return {name: value for name in _FIELDS if (value := request.form.get(name, "").strip())}


def _said(own: Label | None) -> dict[str, str]:
    if own is None:
        return {}
    said = {
        "category": own.category,
        "coding": None if own.code is None else f"{own.code_system}|{own.code}",
        "icu_admission": None if own.icu_admission is None else ("no", "yes")[own.icu_admission],
        "saw_prediction": own.saw_prediction,
        "supersedes": str(own.id),
    }
    return {name: value for name, value in said.items() if value is not None}
