"""The page of one prediction: what it said, on what it rests, what is like it, and what people said of it."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response, request

from cds_service.access import ACCESS
from cds_service.cdshooks.wording import Words, words
from cds_service.domain.actor import Actor
from cds_service.domain.consensus import ADJUDICATORS
from cds_service.domain.label import CATEGORIES, confirmations, rehearsed
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.errors import BadRequest
from cds_service.services.read_labels import LabelHistory, read_labels
from cds_service.services.read_prediction import uuid_from
from cds_service.services.record_label import record_label
from cds_service.services.review import own_label
from cds_service.services.review_lists import dispute, unconfirmed
from cds_service.state_words import CLASSES
from cds_service.storage.audit_log import AuditEvent
from cds_service.web.answering import received
from cds_service.web.console import label_form
from cds_service.web.console.pages import console, link, page, page_language, person
from cds_service.web.console.provenance import circumstances, provenance
from cds_service.web.console.rare_view import rare_view_of
from cds_service.web.console.reasons import reason_text, reasons_for
from cds_service.web.console.sessions import require_own_form
from cds_service.web.console.similar import similar_to
from cds_service.web.console.symptoms import name_of
from cds_service.web.console.view import view_of
from cds_service.web.context import runtime, see_other
from cds_service.web.label_body import read_label
from cds_service.web.labels import note_label
from cds_service.web.stored import record_reads, shown_prediction


@console.get("/console/predictions/<prediction_id>")
def show_prediction(prediction_id: str) -> Response:
    """The prediction as a page; the read is audited."""
    return prediction_page(prediction_id, person(runtime()))


@console.get("/console/predictions/<prediction_id>/<part>")
def back_to_prediction(prediction_id: str, part: str) -> Response:
    """The page itself, for who comes back to the address a form was sent to."""
    person(runtime())
    return see_other(link("console.show_prediction", prediction_id=prediction_id))


@console.post("/console/predictions/<prediction_id>/labels")
def take_label(prediction_id: str) -> Response:
    """What was true, into the ledger; the page again, saying what is wrong, where it cannot be taken."""
    process = runtime()
    actor = person(process)
    require_own_form()
    if label_form.is_search():
        return prediction_page(prediction_id, actor, is_search=True)
    withdrawn = request.form.get("withdraws")
    try:
        body = {"withdraws": withdrawn} if withdrawn else label_form.label_body()
        asked = read_label(body, actor, now=process.now())
    except BadRequest:
        return prediction_page(prediction_id, actor, status=400, is_refused=True)
    label, is_new = record_label(uuid_from(prediction_id), asked, received(actor), writer=process.writer)
    if is_new:
        note_label(label)
    return see_other(link("console.show_prediction", prediction_id=prediction_id) + "#labels")


def prediction_page(prediction_id: str, actor: Actor, *, status: int = 200, **values: Any) -> Response:
    """The whole page; what it shows of the prediction this person has seen from now on."""
    process, told = runtime(), words(page_language())
    found = shown_prediction(prediction_id, actor)
    call = received(actor)
    reads: list[AuditEvent] = []
    history = read_labels(found.id, call, engine=process.engine, record=reads.append)
    similar = similar_to(found, actor, told, record=reads.append)
    shown = {**_shown(found, told), **_said(found, history, actor, told), **values}
    record_reads(reads)
    return page(
        "prediction.html",
        actor=actor,
        status=status,
        prediction_id=str(found.id),
        similar=similar,
        **shown,
    )


def _shown(found: Prediction | RareAssessment, told: Words) -> dict[str, Any]:
    """What the service concluded, and from what."""
    zone = runtime().settings.site.zone_info
    is_rare = isinstance(found, RareAssessment)
    named = partial(name_of, known=runtime().beside.rare.known())
    return {
        "rare": rare_view_of(found, told, zone, named=named) if isinstance(found, RareAssessment) else None,
        "view": view_of(found, told, zone) if isinstance(found, Prediction) else None,
        "values": provenance(found.snapshot, told, zone),
        "known": circumstances(found.snapshot, told),
        "card": ("rare", found.ranking.version) if isinstance(found, RareAssessment) else ("risk", found.model_version),
        "can_rescore": not is_rare,
    }


def _said(found: Prediction | RareAssessment, history: LabelHistory, actor: Actor, told: Words) -> dict[str, Any]:
    """What people said of it, and what this person may say."""
    call = received(actor)
    may_confirm = ACCESS["console.confirm_rare"].admits(actor)
    phenotype = found.phenotype if isinstance(found, RareAssessment) else None
    own = own_label(history.labels, actor.name, call.at)
    return {
        "history": label_form.history_rows(history, told, runtime().settings.site.zone_info),
        "own": own,
        "asked": label_form.asked(own),
        "categories": [(name, told.t(CLASSES[name])) for name in CATEGORIES],
        "disputed": bool(dispute(history.labels, call.at)),
        "is_adjudicator": actor.role in ADJUDICATORS,
        "to_confirm": {str(one.id) for one in unconfirmed(history.labels, phenotype, call)} if may_confirm else set(),
        "confirmed": {
            str(one.refers_to) for one in confirmations(rehearsed(history.labels), call.at) if one.actor == actor.name
        },
        "reasons": reasons_for(found, told),
        "outcome": None if history.outcome is None else reason_text(history.outcome, found, told),
        "was_shown": history.shown,
    }
