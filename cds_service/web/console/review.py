"""The review queue: one case at a time, answered without sight of the prediction, then compared with it."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from flask import Response, request

from cds_service.cdshooks.wording import Words, words
from cds_service.domain.actor import Actor
from cds_service.domain.label import CATEGORIES
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.errors import BadRequest
from cds_service.services.read_labels import LabelHistory, read_labels
from cds_service.services.read_prediction import Record, uuid_from
from cds_service.services.record_label import record_label
from cds_service.services.review import CANDIDATES, note_sight, own_label, pass_on, review_queue
from cds_service.state_words import CLASSES
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.review_log import SEEN, SKIP, UNSURE, marked_by
from cds_service.storage.sessions import reading
from cds_service.web.answering import received
from cds_service.web.console import label_form
from cds_service.web.console.pages import console, link, page, page_language, person
from cds_service.web.console.provenance import circumstances, provenance
from cds_service.web.console.rare_view import rare_view_of
from cds_service.web.console.sessions import require_own_form
from cds_service.web.console.similar import similar_to
from cds_service.web.console.symptoms import name_of
from cds_service.web.console.view import view_of
from cds_service.web.context import runtime, see_other
from cds_service.web.label_body import read_label
from cds_service.web.labels import note_label
from cds_service.web.stored import record_reads, stored_prediction


@console.get("/review")
def review() -> Response:
    """The next case of this person's queue, or that there is none."""
    process = runtime()
    actor = person(process)
    spread = process.models.serving.risk.spread
    queue = review_queue(received(actor), engine=process.engine, spread=spread)
    if queue.next_case is None:
        return page("review_empty.html", actor=actor)
    return _case_page(str(queue.next_case), actor, waiting=queue.waiting)


@console.get("/review/<prediction_id>")
def review_case(prediction_id: str) -> Response:
    """One case: blind until this person answered, from then on beside what the service said."""
    return _case_page(prediction_id, person(runtime()))


@console.post("/review/<prediction_id>")
def take_answer(prediction_id: str) -> Response:
    """The answer into the ledger and on to the comparison; skipped or unsure, on to the next case."""
    process = runtime()
    actor = person(process)
    require_own_form()
    call = received(actor)
    for mark in (SKIP, UNSURE):
        if mark in request.form:
            pass_on(uuid_from(prediction_id), mark, call, writer=process.writer)
            return see_other(link("console.review"))
    if label_form.is_search():
        return _case_page(prediction_id, actor, is_search=True)
    history = _history(uuid_from(prediction_id), actor, process.writer.submit_audit)
    own = own_label(history.labels, actor.name, call.at)
    if label_form.is_unchanged(own):
        return see_other(link("console.review"))
    try:
        body = label_form.label_body({"saw_prediction": _has_seen(uuid_from(prediction_id), actor)})
        asked = read_label(body, actor, now=process.now())
    except BadRequest:
        return _case_page(prediction_id, actor, status=400, is_refused=True)
    label, is_new = record_label(uuid_from(prediction_id), asked, call, writer=process.writer)
    if is_new:
        note_label(label)
    return see_other(link("console.review_case", prediction_id=prediction_id))


def _has_seen(prediction_id: UUID, actor: Actor) -> str:
    """Whether this person knew what the service says: they corrected a first answer, were shown it, or say so."""
    if "supersedes" in request.form or "known" in request.form:
        return "yes"
    with reading(runtime().engine) as connection:
        return "yes" if marked_by(connection, prediction_id, actor.name) == SEEN else "no"


def _case_page(prediction_id: str, actor: Actor, *, status: int = 200, **values: Any) -> Response:
    told = words(page_language())
    call = received(actor)
    reads: list[AuditEvent] = []
    # What is read is the case, not what the service said of it.
    found = stored_prediction(
        prediction_id, actor, record=lambda read: reads.append(msgspec.structs.replace(read, action="case-read"))
    )
    history = _history(found.id, actor, reads.append)
    own = own_label(history.labels, actor.name, call.at)
    shown = _case(found, told) | ({} if own is None else _revealed(found, history, actor, told, reads.append))
    record_reads(reads)
    return page(
        "review.html",
        actor=actor,
        status=status,
        prediction_id=str(found.id),
        own=own,
        asked=label_form.asked(own),
        categories=[(name, told.t(CLASSES[name])) for name in CATEGORIES],
        most=CANDIDATES,
        **(shown | values),
    )


def _history(prediction_id: UUID, actor: Actor, record: Record) -> LabelHistory:
    return read_labels(prediction_id, received(actor), engine=runtime().engine, record=record)


def _case(found: Prediction | RareAssessment, told: Words) -> dict[str, Any]:
    """What was known of the patient, without anything the service concluded."""
    zone = runtime().settings.site.zone_info
    return {
        "patient": found.snapshot.identity,
        "at": f"{found.snapshot.at.astimezone(zone):%Y-%m-%d %H:%M}",
        "values": provenance(found.snapshot, told, zone),
        "known": circumstances(found.snapshot, told),
        "findings": _findings(found) if isinstance(found, RareAssessment) else None,
    }


def _revealed(
    found: Prediction | RareAssessment, history: LabelHistory, actor: Actor, told: Words, record: Record
) -> dict[str, Any]:
    """What the service said, beside what this person and others did; it has been seen from now on."""
    process = runtime()
    zone = process.settings.site.zone_info
    named = partial(name_of, known=process.beside.rare.known())
    call = received(actor)
    note_sight(found.id, call, writer=process.writer, read=call.event("prediction-read", "prediction", found.id))
    return {
        "rare": rare_view_of(found, told, zone, named=named) if isinstance(found, RareAssessment) else None,
        "view": None if isinstance(found, RareAssessment) else view_of(found, told, zone),
        "history": label_form.history_rows(history, told, zone),
        "similar": similar_to(found, actor, told, record=record),
    }


def _findings(found: RareAssessment) -> list[tuple[str, bool]]:
    """The name of each finding, and whether it was excluded."""
    known = runtime().beside.rare.known()
    return [(name_of(finding.term, known), finding.excluded) for finding in found.phenotype.findings]
