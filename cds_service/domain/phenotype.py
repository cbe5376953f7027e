"""A patient's findings as HPO terms, the rare diseases ranked for them, and why: values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from cds_service.domain.patient import PatientSnapshot

# Fewer mapped findings than this are ranked for nobody: with one or two the first disease of the list is right in
# one case of five (docs/explanation/rare-diseases.md).
FEWEST_FINDINGS = 3


class Finding(NamedTuple):
    """One HPO term observed in the patient, or looked for and excluded.

    `source` says where it came from, `said` the code or text it was mapped from; `by_vital` marks what a vital sign
    alone says, such as fever, which counts little and is no finding to rank by.
    """

    term: str
    excluded: bool = False
    source: str = ""
    said: str = ""
    by_vital: bool = False


class Unmapped(NamedTuple):
    """A code that stands for no finding here; `reason` is a machine-readable word (docs/reference/rare.md)."""

    system: str
    code: str
    source: str
    reason: str


class Heard(NamedTuple):
    """What a sender said of findings, before it is settled; `remarks` are machine-readable."""

    findings: tuple[Finding, ...]
    unmapped: tuple[Unmapped, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Phenotype:
    """All findings of one patient, what could not be mapped, and what else the ranking looks at.

    `sex` is `male`, `female` or None.
    """

    findings: tuple[Finding, ...]
    unmapped: tuple[Unmapped, ...] = ()
    age_years: float | None = None
    sex: str | None = None

    @property
    def n_findings(self) -> int:
        """How many different observed findings there are, those a vital sign alone says left out."""
        return len({finding.term for finding in self.findings if not finding.excluded and not finding.by_vital})


class Support(NamedTuple):
    """An observed finding that speaks for a disease.

    `matched` is the disease's own or a broader finding it agrees in, `frequency` how often the disease shows that;
    `share` is the part of the evidence it makes up; `papers` are some that say so.
    """

    term: str
    name: str
    matched: str
    matched_name: str
    frequency: float
    share: float
    papers: tuple[str, ...]


class Expected(NamedTuple):
    """A finding most patients with the disease have, which nobody recorded or excluded."""

    term: str
    name: str
    frequency: float


class Against(NamedTuple):
    """What speaks against a disease: an excluded finding (with its term), or `onset` or `sex` (without)."""

    reason: str
    term: str = ""
    name: str = ""
    frequency: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One disease to consider, under its OMIM id where it has one; `also` are other ids of the same disease.

    `band` is low, medium or high; `learned_from` counts the validated cases that were added to what is published.
    """

    id: str
    name: str
    also: tuple[str, ...]
    band: str
    score: float
    support: tuple[Support, ...]
    expected: tuple[Expected, ...]
    against: tuple[Against, ...]
    inheritance: tuple[str, ...]
    learned_from: int = 0


class Question(NamedTuple):
    """A finding to look for next: how many bits of doubt among the best candidates its answer is expected to remove."""

    term: str
    name: str
    bits: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rare diseases to consider, best first, with how far the list can be trusted.

    `confidence` is the calibrated share of published cases like this whose disease is in a list of this length;
    `band` its band. `omitted` says why there is no list: `not-enough-findings`. `release` is the version of HPO.
    """

    candidates: tuple[Candidate, ...]
    questions: tuple[Question, ...]
    confidence: float
    band: str
    n_findings: int
    omitted: str | None
    version: str
    release: str
    learned_version: str = ""


@dataclass(frozen=True, slots=True)
class RareAssessment:
    """One ranking for one patient: what is stored and shown, as a `Prediction` is for vital signs."""

    id: UUID
    snapshot: PatientSnapshot
    phenotype: Phenotype
    ranking: Ranking
    site_hash: str

    @property
    def model_version(self) -> str:
        """The knowledge base that ranked."""
        return f"rare-{self.ranking.version}"


def settled(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each term once, ordered: the same findings in any order, with any repeats, are the same.

    Of one term a clinical finding comes before what a vital sign says.
    """
    by_term: dict[tuple[str, bool], Finding] = {}
    for finding in sorted(findings, key=lambda f: (f.term, f.excluded, f.by_vital, f.source, f.said)):
        by_term.setdefault((finding.term, finding.excluded), finding)
    return tuple(by_term.values())
