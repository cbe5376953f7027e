"""Similar cases of the same tenant in words: what became of others, without anything that names them."""

from __future__ import annotations

from cds_service.cdshooks.wording import Words
from cds_service.domain.actor import Actor
from cds_service.domain.label import RARE_SYSTEMS
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.i18n import msgid
from cds_service.services.find_diagnoses import diagnosis_name
from cds_service.services.read_prediction import Record
from cds_service.services.similar_cases import SimilarCase, SimilarRareCase, similar_cases, similar_rare_cases
from cds_service.state_words import CLASSES
from cds_service.web.answering import received
from cds_service.web.context import runtime

_LIKENESS = {
    "very-alike": msgid("very alike"),
    "alike": msgid("alike"),
    "somewhat-alike": msgid("somewhat alike"),
    "little-alike": msgid("little alike"),
}


def similar_to(
    found: Prediction | RareAssessment, actor: Actor, words: Words, *, record: Record
) -> list[dict[str, str]]:
    """The rows of the table: what it was, and what it was like. `record` takes the event of the read."""
    process, call = runtime(), received(actor)
    if isinstance(found, RareAssessment):
        rare = similar_rare_cases(found, call, engine=process.engine, record=record)
        return [_rare_row(case, words) for case in rare]
    spread = process.models.serving.risk.spread
    return [
        _row(case, words) for case in similar_cases(found, call, engine=process.engine, spread=spread, record=record)
    ]


def _row(case: SimilarCase, words: Words) -> dict[str, str]:
    t = words.t
    was = [] if case.category is None else [t(CLASSES[case.category])]
    if case.icu_admission is not None:
        was.append(t("admitted to intensive care") if case.icu_admission else t("not admitted to intensive care"))
    news2 = case.news2
    differs = ", ".join(map(words.name, case.differs))
    return {
        "was": ", ".join(was),
        "news2": ""
        if news2 is None
        else f"{news2.lower}"
        if news2.lower == news2.upper
        else f"{news2.lower}–{news2.upper}",
        "age": _ages(case.age, words),
        "like": t(_LIKENESS[case.likeness]) + (f" ({t('differs in')}: {differs})" if differs else ""),
    }


def _ages(age: tuple[int, int | None] | None, words: Words) -> str:
    if age is None:
        return words.t("unknown")
    first, last = age
    return words.t("%(age)d or older") % {"age": first} if last is None else f"{first}–{last}"


def _rare_row(case: SimilarRareCase, words: Words) -> dict[str, str]:
    known = runtime().beside.rare.known()
    source, _, code = case.disease.partition(":")
    name = diagnosis_name(
        RARE_SYSTEMS[source], code, language="en", knowledge=None if known is None else known.ranker.knowledge
    )
    shared = words.t("%(shared)d of %(findings)d findings in common")
    return {
        "was": f"{name} {case.disease}".strip(),
        "like": shared % {"shared": case.shared, "findings": case.findings},
    }
