"""A ranking of rare diseases in words for a page: candidates with their reasons, never a percentage for a disease."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from cds_service.cdshooks.card_text import record_remarks
from cds_service.cdshooks.rare_cards import BANDS, contrary, rare_summary, weight_mark
from cds_service.cdshooks.wording import Words
from cds_service.domain.patient import Identity
from cds_service.domain.phenotype import Candidate, RareAssessment, Unmapped
from cds_service.i18n import msgid
from cds_service.vocabulary import LEARNED_FROM, LEARNED_FROM_ONE

# Why a finding was not used (docs/reference/rare.md).
_REASONS = {
    "unknown-name": msgid("no finding has this name"),
    "unknown-code": msgid("not a known code"),
    "not-a-finding": msgid("not a finding"),
    "unknown-value": msgid("neither yes nor no"),
    "no-interpretation": msgid("a result without interpretation"),
    "contradicted": msgid("excluded, but a finding that is there implies it"),
}


@dataclass(frozen=True, slots=True)
class DiseaseView:
    """One disease to consider, with what speaks for it, what is expected and what speaks against it."""

    name: str
    ids: str
    band: str
    learned: str
    support: tuple[tuple[str, str], ...]
    expected: tuple[str, ...]
    against: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RareView:
    """What a page shows of one ranking; every text is plain and is escaped where it stands."""

    id: str
    summary: str
    patient: Identity
    at: str
    diseases: tuple[DiseaseView, ...]
    listed_of_ten: int
    look_for: tuple[str, ...]
    excluded: tuple[str, ...]
    not_used: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    version: str
    release: str
    learned_version: str


def rare_view_of(
    assessment: RareAssessment, words: Words, zone: tzinfo, *, named: Callable[[str], str] = str
) -> RareView:
    """The ranking as a page shows it, times in `zone`; `named` gives the name of a finding."""
    ranking, snapshot, phenotype = assessment.ranking, assessment.snapshot, assessment.phenotype
    return RareView(
        id=str(assessment.id),
        summary=rare_summary(ranking, words.t),
        patient=snapshot.identity,
        at=f"{snapshot.at.astimezone(zone):%Y-%m-%d %H:%M}",
        diseases=tuple(_disease(candidate, words) for candidate in ranking.candidates),
        listed_of_ten=round(10 * ranking.confidence),
        look_for=tuple(question.name for question in ranking.questions),
        excluded=tuple(named(finding.term) for finding in phenotype.findings if finding.excluded),
        not_used=tuple(_not_used(unmapped, words, named) for unmapped in phenotype.unmapped),
        notes=tuple(record_remarks(snapshot, words)),
        version=ranking.version,
        release=ranking.release,
        learned_version=ranking.learned_version,
    )


def _disease(candidate: Candidate, words: Words) -> DiseaseView:
    count = candidate.learned_from
    learned = words.t(LEARNED_FROM_ONE if count == 1 else LEARNED_FROM) % {"count": count} if count else ""
    return DiseaseView(
        name=candidate.name,
        ids=", ".join((candidate.id, *candidate.also)),
        band=words.t(BANDS[candidate.band]),
        learned=learned,
        support=tuple((support.name, weight_mark(support.share)) for support in candidate.support),
        expected=tuple(expected.name for expected in candidate.expected),
        against=tuple(contrary(against, words.t) for against in candidate.against),
    )


def _not_used(unmapped: Unmapped, words: Words, named: Callable[[str], str]) -> tuple[str, str]:
    what = named(unmapped.code) if unmapped.reason == "contradicted" else unmapped.code
    return what, words.t(_REASONS[unmapped.reason])
