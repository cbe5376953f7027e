"""A ranking of rare diseases as FHIR R4B: a RiskAssessment with one prediction a disease, and a GuidanceResponse."""

from __future__ import annotations

from typing import Any
from uuid import uuid5

from cds_service.domain.label import RARE_SYSTEMS
from cds_service.domain.ontology import HPO
from cds_service.domain.phenotype import Candidate, Question, RareAssessment
from cds_service.fhir.writer import collection, reference_of, subject_of
from cds_service.i18n import Translate, msgid, translator
from cds_service.vocabulary import LEARNED_FROM, LEARNED_FROM_ONE

Json = dict[str, Any]

_MODULE = "urn:cds-service:rare-disease"
_METHOD = msgid("Rare diseases to consider (not a diagnosis), ranked by findings")
_DISCLAIMER = msgid("Demonstration, not for clinical use.")
_BANDS = {"low": msgid("low"), "medium": msgid("medium"), "high": msgid("high")}
_CONFIDENCE = {
    "low": msgid("low confidence"),
    "medium": msgid("medium confidence"),
    "high": msgid("high confidence"),
}


def rare_risk_assessment(assessment: RareAssessment, *, language: str) -> Json:
    """The ranking as a RiskAssessment; bands only, for no disease has a percentage."""
    t, ranking = translator(language), assessment.ranking
    resource: Json = {
        "resourceType": "RiskAssessment",
        "id": str(assessment.id),
        "language": language,
        "status": "final",
        "method": {"text": f"{t(_METHOD)}: HPO {ranking.release}, rare {ranking.version}"},
        "subject": subject_of(assessment.snapshot.identity.patient_id),
        "occurrenceDateTime": assessment.snapshot.at.isoformat(),
        "basis": [reference_of(s) for s in dict.fromkeys(f.source for f in assessment.phenotype.findings) if s],
        "prediction": [_prediction(candidate, t) for candidate in ranking.candidates],
        "note": [{"text": text} for text in _notes(assessment, t)],
    }
    return {name: value for name, value in resource.items() if value}


def rare_bundle(assessment: RareAssessment, *, language: str) -> Json:
    """The answer to `$rare-disease`: the RiskAssessment, and what to look for next as data requirements."""
    guidance: Json = {
        "resourceType": "GuidanceResponse",
        "id": str(uuid5(assessment.id, "guidance")),
        "language": language,
        "moduleUri": _MODULE,
        "status": "data-requested" if assessment.ranking.questions else "success",
        "subject": subject_of(assessment.snapshot.identity.patient_id),
        "occurrenceDateTime": assessment.snapshot.at.isoformat(),
        "dataRequirement": [_requirement(question) for question in assessment.ranking.questions],
        "note": [{"text": translator(language)(_DISCLAIMER)}],
    }
    resources = (
        rare_risk_assessment(assessment, language=language),
        {name: value for name, value in guidance.items() if value},
    )
    return collection(resources, assessment.snapshot.at)


def _prediction(candidate: Candidate, t: Translate) -> Json:
    ids = ((candidate.id, candidate.name), *((other, "") for other in candidate.also))
    found = ", ".join(support.name for support in candidate.support)
    count = candidate.learned_from
    learned = f"; {t(LEARNED_FROM_ONE if count == 1 else LEARNED_FROM) % {'count': count}}" if count else ""
    return {
        "outcome": {"coding": [_coding(name, display) for name, display in ids], "text": candidate.name},
        "qualitativeRisk": {"text": t(_BANDS[candidate.band])},
        "rationale": f"{t(msgid('For'))}: {found}{learned}",
    }


def _coding(name: str, display: str) -> Json:
    source, _, code = name.partition(":")
    coding = {"system": RARE_SYSTEMS.get(source, f"urn:cds-service:{source.lower()}"), "code": code, "display": display}
    return {name: value for name, value in coding.items() if value}


def _notes(assessment: RareAssessment, t: Translate) -> list[str]:
    """How much could be used, how far to trust the list, and the disclaimer."""
    ranking = assessment.ranking
    notes = []
    if ranking.omitted is not None:
        text = t(msgid("Rare diseases: not enough findings (%(count)d of at least 3)"))
        notes.append(text % {"count": ranking.n_findings})
    else:
        notes.append(t(_CONFIDENCE[ranking.band]))
    if assessment.phenotype.unmapped:
        count = t(msgid("%(count)d codes or names")) % {"count": len(assessment.phenotype.unmapped)}
        codes = ", ".join(one.code for one in assessment.phenotype.unmapped[:20])
        notes.append(f"{t(msgid('Not used'))}: {count}: {codes}")
    if ranking.learned_version:
        text = t(msgid("Validated cases of this site: version %(version)s."))
        notes.append(text % {"version": ranking.learned_version})
    return [*notes, t(_DISCLAIMER)]


def _requirement(question: Question) -> Json:
    coding = {"system": HPO, "code": question.term, "display": question.name}
    return {"type": "Observation", "codeFilter": [{"path": "code", "code": [coding]}]}
