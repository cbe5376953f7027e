"""The triage form: typed vital signs and symptoms in, the stored and explained prediction beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import uuid4

from flask import Response, request

from cds_service.cdshooks.complaint_words import COMPLAINTS
from cds_service.cdshooks.wording import words
from cds_service.domain.actor import Actor
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.errors import BadRequest, Unavailable
from cds_service.inference.ranker_service import RareDiseases
from cds_service.records.reader import complaint_group_of
from cds_service.web.console import checks, form, symptoms
from cds_service.web.console.checks import Answers, Doubt, Kind
from cds_service.web.console.outcome import Filled, outcome_of
from cds_service.web.console.pages import console, link, page, page_language, person
from cds_service.web.console.sessions import require_own_form
from cds_service.web.context import runtime

# Fields that are judged by each other: a change of one may change what is said of the other.
_TOGETHER = (("systolic_bp", "diastolic_bp"), ("birth_date", "age"), ("spo2_scale", "spo2_scale_by"))


@dataclass(frozen=True, slots=True)
class Draft:
    """The form as it was sent: fields, symptoms, and what was said to doubts."""

    given: Mapping[str, str]
    sides: symptoms.Sides
    answers: Answers


@console.get("/triage")
def triage() -> Response:
    """The empty form."""
    actor = person(runtime())
    return _form_page(actor, Draft({}, {side: symptoms.Side() for side in symptoms.SIDES}, Answers((), {})))


@console.post("/triage")
def assess_form() -> Response:
    """The form as it was filled, and the prediction; or what must be looked at first, with nothing stored."""
    actor = person(runtime())
    require_own_form()
    known = _known()
    draft = _draft(known)
    if known is not None:
        draft = replace(draft, sides=symptoms.read(draft.sides, known))
    asked = checks.doubts(draft.given, today=_today())
    if any(doubt.is_wrong for doubt in asked.values()):
        return _form_page(actor, draft, status=400, doubts=asked, known=known)
    is_open = [doubt for doubt in asked.values() if not draft.answers.settle(doubt, draft.given)]
    if is_open or any(side.questions for side in draft.sides.values()):
        return _form_page(actor, draft, status=422, doubts=asked, is_asked=True, known=known)
    try:
        filled = _filled(draft, asked)
        outcome = outcome_of(filled, actor, page_language(), known)
    except BadRequest as error:
        asked[error.where] = Doubt(error.where, Kind.UNREADABLE)
        return _form_page(actor, draft, status=400, doubts=asked, known=known)
    except Unavailable:
        return _form_page(actor, draft, status=503, key=filled.key, is_away=True, known=known)
    shown = _form_page(actor, draft, outcome=outcome, doubts=asked, known=known)
    shown.headers["HX-Reswap"] = "outerHTML show:#result:top"
    return shown


@console.post("/triage/check")
def check_field() -> Response:
    """What the form says of one field as it stands, for the place below it, and of one it is judged with."""
    actor = person(runtime())
    require_own_form()
    name = request.form.get("field", "")
    if name not in form.FIELDS:
        raise BadRequest("no such field", where="field")
    draft = _draft(None)
    names = [name, *(other for pair in _TOGETHER if name in pair for other in pair if other != name)]
    return page(
        "triage_notes.html",
        actor=actor,
        names=names,
        is_shown="is_shown" in request.form,
        **_values(draft, checks.doubts(draft.given, today=_today())),
    )


@console.post("/triage/symptoms")
def change_symptoms() -> Response:
    """The form after a press of one of its symptoms' buttons, with findings like what is typed last, or as it was.

    As it was it comes in another language: what is typed is kept.
    """
    actor = person(runtime())
    require_own_form()
    known = _known()
    draft = _draft(known)
    action = request.form.get("symptom", "")
    if not action and "language" in request.args:
        return _form_page(actor, draft, key=request.form.get("key", "")[:64], known=known)
    verb, _, side = action.partition(" ")
    if known is not None and verb == "find" and side in symptoms.SIDES:
        draft = replace(draft, sides={**draft.sides, side: symptoms.offer(draft.sides[side], known)})
    elif known is not None:
        draft = replace(draft, sides=symptoms.change(draft.sides, action, known))
    return _form_page(actor, draft, focus=side.partition(" ")[0], known=known)


def _known() -> RareDiseases | None:
    """The knowledge base, None while there is none."""
    try:
        return runtime().beside.rare.get()
    except Unavailable:
        return None


def _today() -> date:
    process = runtime()
    return process.now().astimezone(process.settings.site.zone_info).date()


def _draft(known: RareDiseases | None) -> Draft:
    sent = request.form
    kept = {name: reason for name in form.FIELDS if (reason := sent.get(f"kept_{name}", ""))}
    return Draft(
        given={name: value for name in form.NAMES if (value := sent.get(name, "").strip())},
        sides=symptoms.sides_of(sent, known),
        answers=Answers(frozenset(sent.getlist("confirmed")), kept),
    )


def _filled(draft: Draft, asked: Mapping[str, Doubt]) -> Filled:
    return Filled(
        given=draft.given,
        heard=symptoms.heard(draft.sides),
        reasons=tuple(draft.answers.kept[name] for name, doubt in asked.items() if doubt.wants_reason),
        key=request.form.get("key", "")[:64],
    )


def _form_page(
    actor: Actor,
    draft: Draft,
    *,
    status: int = 200,
    key: str = "",
    doubts: Mapping[str, Doubt] | None = None,
    known: RareDiseases | None = None,
    **values: Any,
) -> Response:
    """The form; `key` is that of a page whose form may come again, and is then stored once all the same."""
    return page(
        "triage.html",
        actor=actor,
        status=status,
        key=key or uuid4().hex,
        redraw=link("console.change_symptoms"),
        is_loading=known is None and any(side.text or side.taken for side in draft.sides.values()),
        **_values(draft, doubts or {}),
        **values,
    )


def _values(draft: Draft, doubts: Mapping[str, Doubt]) -> dict[str, Any]:
    """What the parts of the form are drawn from."""
    told = words(page_language())
    group = complaint_group_of(draft.given.get("complaint"), runtime().tables)
    return {
        "form": form,
        "checks": checks,
        "signs": VITAL_SIGNS,
        "draft": draft,
        "doubts": doubts,
        "number": told.number,
        "complaint_group": told.t(COMPLAINTS[group]) if group else "",
    }
