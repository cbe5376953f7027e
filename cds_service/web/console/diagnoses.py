"""Looking for the code of a diagnosis: suggestions while one types, or a search sent with the form."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request

from cds_service.domain.codes import ICD10, ICD10CM, SNOMED
from cds_service.domain.label import OMIM, ORPHA
from cds_service.inference.ranker_knowledge import Knowledge
from cds_service.services.find_diagnoses import diagnosis_name, find_diagnoses
from cds_service.services.read_prediction import read_row
from cds_service.web.console.pages import console, link, page, page_language, person
from cds_service.web.context import runtime, see_other

# What people call the systems of CODE_SHAPES.
SYSTEMS = {ICD10: "ICD-10", ICD10CM: "ICD-10-CM", ORPHA: "ORPHA", OMIM: "OMIM", SNOMED: "SNOMED CT"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A diagnosis one may choose; `value` is its system and code as the form sends them."""

    value: str
    text: str


@console.get("/console/predictions/<prediction_id>/diagnoses")
def search_diagnoses(prediction_id: str) -> Response:
    """What the typed text may mean, as a part of the page of the prediction; nothing of a patient is in it."""
    process = runtime()
    read_row(prediction_id, person(process), engine=process.engine)
    if "HX-Request" not in request.headers:  # as after signing in again: a part alone is no page
        return see_other(link("console.show_prediction", prediction_id=prediction_id))
    text, chosen = request.args.get("diagnosis", ""), request.args.get("coding", "")
    return page("diagnoses.html", suggestions=suggestions(text, chosen), text=text.strip(), chosen=chosen)


def suggestions(text: str, chosen: str) -> list[Suggestion]:
    """Diagnoses for the text, each to be chosen, after the one that was chosen before."""
    found = find_diagnoses(text, language=page_language(), tables=runtime().tables, knowledge=_knowledge())
    offered = [Suggestion(f"{one.system}|{one.code}", coded(one.system, one.code, one.name)) for one in found]
    system, _, code = chosen.rpartition("|")
    if system in SYSTEMS and chosen not in {one.value for one in offered}:
        return [Suggestion(chosen, coded(system, code)), *offered]
    return offered


def coded(system: str, code: str, name: str | None = None) -> str:
    """A diagnosis as people read it: `J45 asthma (ICD-10)`."""
    if name is None:
        name = diagnosis_name(system, code, language=page_language(), knowledge=_knowledge())
    return f"{code} {name}".strip() + f" ({SYSTEMS.get(system, system)})"


def _knowledge() -> Knowledge | None:
    known = runtime().beside.rare.known()
    return None if known is None else known.ranker.knowledge
