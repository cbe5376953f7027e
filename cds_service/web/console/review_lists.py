"""What several people have to settle, each on a page of its own: labels that disagree, rare diseases to confirm."""

from __future__ import annotations

from flask import Response

from cds_service.cdshooks.wording import Words, words
from cds_service.domain.label import Label
from cds_service.i18n import msgid
from cds_service.services.review_lists import Unsettled, read_conflicts, read_unconfirmed
from cds_service.state_words import CLASSES
from cds_service.web.answering import received
from cds_service.web.console.diagnoses import coded
from cds_service.web.console.pages import console, page, page_language, person
from cds_service.web.context import runtime
from cds_service.web.stored import record_reads

_CONFLICTS = (
    msgid("Labels that disagree"),
    msgid("Two people said what cannot both be true. A steward opens the case and decides; the decision counts."),
    msgid("No labels disagree."),
)
_CONFIRMATIONS = (
    msgid("Rare diseases to confirm"),
    msgid("One person named a rare disease. Once a second one confirms it, the case is learned from."),
    msgid("No rare disease waits for you."),
)


@console.get("/review/conflicts")
def conflicts() -> Response:
    """Predictions whose labels disagree and that nobody settled; the read is audited."""
    process = runtime()
    actor = person(process)
    found = read_conflicts(received(actor), engine=process.engine, record=record_reads)
    return page("review_list.html", actor=actor, rows=_rows(found), told=_CONFLICTS)


@console.get("/review/confirmations")
def to_confirm() -> Response:
    """Rare diseases that wait for a second person other than this one; the read is audited."""
    process = runtime()
    actor = person(process)
    found = read_unconfirmed(received(actor), engine=process.engine, record=record_reads)
    return page("review_list.html", actor=actor, rows=_rows(found), told=_CONFIRMATIONS)


def _rows(found: list[Unsettled]) -> list[dict[str, object]]:
    told, zone = words(page_language()), runtime().settings.site.zone_info
    return [
        {
            "id": str(one.prediction_id),
            "at": f"{one.made_at.astimezone(zone):%Y-%m-%d %H:%M}",
            "patient": one.patient,
            "said": [f"{label.by}: {_said(label, told)}" for label in one.labels],
        }
        for one in found
    ]


def _said(label: Label, told: Words) -> str:
    parts = [] if label.category is None else [told.t(CLASSES[label.category])]
    parts += [] if label.code is None else [coded(label.code_system or "", label.code)]
    return ", ".join(parts)
