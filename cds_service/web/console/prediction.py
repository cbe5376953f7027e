"""The page of one prediction: what it said, on what it rests, and the form for what was true."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from cds_service.cdshooks.wording import words
from cds_service.domain.actor import Actor
from cds_service.domain.codes import ICD10, ICD10CM, SNOMED
from cds_service.domain.label import CATEGORIES, OMIM, ORPHA, Status
from cds_service.domain.phenotype import RareAssessment
from cds_service.errors import BadRequest
from cds_service.i18n import msgid
from cds_service.services.read_labels import read_labels
from cds_service.services.read_prediction import uuid_from
from cds_service.services.record_label import record_label
from cds_service.state_words import CLASSES
from cds_service.web.answering import received, stored_prediction
from cds_service.web.console.pages import console, link, page, page_language, person
from cds_service.web.console.rare_view import rare_view_of
from cds_service.web.console.sessions import require_own_form
from cds_service.web.console.view import view_of
from cds_service.web.context import runtime, see_other
from cds_service.web.label_body import read_label
from cds_service.web.labels import note_label

# What people call the systems of CODE_SHAPES.
_SYSTEMS = {ICD10CM: "ICD-10-CM", ICD10: "ICD-10", SNOMED: "SNOMED CT", ORPHA: "ORPHA", OMIM: "OMIM"}
_STATUSES = {
    Status.CURRENT: msgid("counts"),
    Status.REPLACED: msgid("was replaced"),
    Status.WITHDRAWN: msgid("was withdrawn"),
    Status.QUARANTINED: msgid("is held back"),
    Status.TEST: msgid("is test data"),
    Status.NO_LABEL: msgid("changes another"),
}
_FACTS = ("category", "observed_at", "saw_prediction", "comment")


@console.get("/console/predictions/<prediction_id>")
def show_prediction(prediction_id: str) -> Response:
    """The prediction as a page; the read is audited."""
    return _prediction_page(prediction_id, person(runtime()))


@console.post("/console/predictions/<prediction_id>/labels")
def take_label(prediction_id: str) -> Response:
    """What was true, into the ledger; the page again, saying what is wrong, where it cannot be taken."""
    process = runtime()
    actor = person(process)
    require_own_form()
    try:
        asked = read_label(_label_body(), actor, now=process.now())
    except BadRequest:
        return _prediction_page(prediction_id, actor, status=400, is_refused=True)
    label, is_new = record_label(uuid_from(prediction_id), asked, received(actor), writer=process.writer)
    if is_new:
        note_label(label)
    return see_other(link("console.show_prediction", prediction_id=prediction_id))


def _prediction_page(prediction_id: str, actor: Actor, *, status: int = 200, is_refused: bool = False) -> Response:
    process = runtime()
    found = stored_prediction(prediction_id, actor)
    history = read_labels(
        uuid_from(prediction_id), received(actor), engine=process.engine, record=process.writer.submit_audit
    )
    zone, told = process.settings.site.zone_info, words(page_language())
    values: dict[str, Any] = {
        "history": history,
        "zone": zone,
        "is_refused": is_refused,
        "categories": CATEGORIES,
        "systems": _SYSTEMS,
        "statuses": {status: told.t(text) for status, text in _STATUSES.items()},
        "given": request.form,
        "states": {name: told.t(text) for name, text in CLASSES.items()},
    }
    if isinstance(found, RareAssessment):
        return page("rare.html", actor=actor, status=status, rare=rare_view_of(found, told, zone), **values)
    return page("prediction.html", actor=actor, status=status, view=view_of(found, told, zone), **values)


def _label_body() -> dict[str, Any]:
    """The form as the body of the labels' address: empty fields are not said."""
    sent = {name: value for name, value in request.form.items() if value.strip()}
    body: dict[str, Any] = {name: sent[name] for name in _FACTS if name in sent}
    if "code" in sent:
        body["diagnosis"] = {"system": sent.get("system", ""), "code": sent["code"].strip()}
    return body
