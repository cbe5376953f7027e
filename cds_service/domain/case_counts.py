"""Validated cases as counts, per disease and finding: what a site has learned, apart from what is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from cds_service.errors import Conflict


@dataclass(frozen=True, slots=True)
class CaseCounts:
    """The cases of one disease: how many, and in how many each HPO term was seen or excluded."""

    cases: int = 0
    seen: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    denied: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def share(self, term: str) -> tuple[int, int]:
        """Seen in k of m cases; where it was never seen, m counts the cases that excluded it."""
        seen = self.seen.get(term, 0)
        return (seen, self.cases) if seen else (0, self.denied.get(term, 0))


class ValidatedCase(NamedTuple):
    """One confirmed diagnosis: of which patient, with the findings of the ranking it was confirmed for.

    `person` is the same for all cases of one patient, and for nobody else's.
    """

    person: str
    disease: str
    observed: frozenset[str]
    excluded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Learned:
    """All that one site has learned: counts by disease id, names of diseases the annotations do not know.

    `without` are papers (`PMID:…`) whose annotations are left out, such as the one a case under test comes from.
    """

    version: str = ""
    counts: Mapping[str, CaseCounts] = field(default_factory=lambda: MappingProxyType({}))
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    without: frozenset[str] = frozenset()

    def with_case(self, disease: str, *, observed: Iterable[str], excluded: Iterable[str] = ()) -> Learned:
        """One more validated case."""
        return self._changed(disease, set(observed), set(excluded), by=1)

    def without_case(self, disease: str, *, observed: Iterable[str], excluded: Iterable[str] = ()) -> Learned:
        """One validated case withdrawn; nothing of it stays. Conflict when no such case was added."""
        return self._changed(disease, set(observed), set(excluded), by=-1)

    def _changed(self, disease: str, observed: set[str], excluded: set[str], *, by: int) -> Learned:
        before = self.counts.get(disease, CaseCounts())
        after = CaseCounts(
            before.cases + by, _added(before.seen, observed, by), _added(before.denied, excluded - observed, by)
        )
        counts = {name: kept for name, kept in self.counts.items() if name != disease}
        if after.cases < 0 or (not after.cases and (after.seen or after.denied)):
            raise Conflict("no such case was added", where=disease)
        if after.cases:
            counts[disease] = after
        return Learned(self.version, MappingProxyType(counts), self.names, self.without)


def learned_from(cases: Iterable[ValidatedCase], version: str) -> Learned:
    """The counts of these cases; a patient counts once for a disease, with every finding ever observed in them."""
    joined: dict[tuple[str, str], ValidatedCase] = {}
    for case in cases:
        known = joined.get((case.disease, case.person), case)
        joined[case.disease, case.person] = known._replace(
            observed=known.observed | case.observed, excluded=known.excluded | case.excluded
        )
    by_disease: dict[str, list[ValidatedCase]] = {}
    for case in joined.values():
        by_disease.setdefault(case.disease, []).append(case)
    counts = {disease: _counts(found) for disease, found in by_disease.items()}
    return Learned(version, MappingProxyType(counts))


def _counts(cases: Sequence[ValidatedCase]) -> CaseCounts:
    """The cases of one disease, each of another patient."""
    seen = Counter(term for case in cases for term in case.observed)
    denied = Counter(term for case in cases for term in case.excluded - case.observed)
    return CaseCounts(
        len(cases), MappingProxyType(dict(sorted(seen.items()))), MappingProxyType(dict(sorted(denied.items())))
    )


def _added(before: Mapping[str, int], terms: set[str], by: int) -> Mapping[str, int]:
    counts = Counter(before)
    for term in terms:
        counts[term] += by
    if any(count < 0 for count in counts.values()):
        raise Conflict("no such case was added")
    return MappingProxyType({term: count for term, count in sorted(counts.items()) if count})
