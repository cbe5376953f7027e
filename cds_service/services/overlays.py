"""What each tenant's confirmed cases add to its rankings, read again as soon as another version is there.

Every ranking asks the database for the version, one row by its key, so that whatever was committed before it, by any
process, counts for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from sqlalchemy import Engine

from cds_service.domain.actor import Actor
from cds_service.domain.case_counts import Learned, ValidatedCase, learned_from
from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_learned import LearnedIndex
from cds_service.inference.ranker_service import RareDiseases
from cds_service.storage.identity import Keyring
from cds_service.storage.overlay import Overlay, read_overlay, read_version


class Taught(NamedTuple):
    """The knowledge base, what the caller's tenant learned beside it, and what to remark of that."""

    rare: RareDiseases
    learned: LearnedIndex | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A tenant's overlay as it was read last, ready to rank with; for one ranker."""

    overlay: Overlay
    persons: frozenset[str]
    ranker: Ranker
    index: LearnedIndex


class Overlays:
    """The overlays of all tenants as this process last read them. Any thread may ask."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self._engine = engine
        self._keyring = keyring
        self._known: dict[str, _Known] = {}
        self._lock = Lock()

    def taught(self, actor: Actor, patient_id: str, rare: RareDiseases) -> Taught:
        """The knowledge base with what the caller's tenant has learned from other patients than this one.

        Test callers see nothing of it: it comes from production patients.
        """
        version = read_version(self._engine, actor.tenant) if actor.environment == "production" else 0
        if version == 0:
            return Taught(rare)
        known = self._current(actor.tenant, version, rare.ranker)
        keys = self._keyring.patient_keys(actor.tenant, patient_id) if patient_id else []
        own = known.persons.intersection(keys)
        if own:
            return Taught(rare, without(own, known.overlay, rare.ranker), ("own-case-left-out",))
        return Taught(rare, known.index)

    def _current(self, tenant: str, version: int, ranker: Ranker) -> _Known:
        with self._lock:
            known = self._known.get(tenant)
            if known is None or known.overlay.version != version or known.ranker is not ranker:
                overlay = read_overlay(self._engine, tenant)
                persons = frozenset(case.person for case in overlay.cases)
                known = self._known[tenant] = _Known(overlay, persons, ranker, index_of(overlay, ranker))
            return known


def index_of(overlay: Overlay, ranker: Ranker) -> LearnedIndex:
    """The overlay ready to rank with."""
    return ranker.learn(counted(overlay, ranker))


def without(persons: frozenset[str], overlay: Overlay, ranker: Ranker) -> LearnedIndex:
    """The overlay ready to rank one of these persons: their own cases tell nothing new of them."""
    others = tuple(case for case in overlay.cases if case.person not in persons)
    return index_of(Overlay(overlay.version, others), ranker)


def counted(overlay: Overlay, ranker: Ranker) -> Learned:
    """The overlay as counts, under the ids of this knowledge base; findings it does not know are left out."""
    return learned_from((_understood(case, ranker) for case in overlay.cases), str(overlay.version))


def _understood(case: ValidatedCase, ranker: Ranker) -> ValidatedCase:
    """The case in the words of this knowledge base, which may be another than that it was confirmed with."""
    knowledge, rows = ranker.knowledge, ranker.knowledge.ontology.rows
    row = knowledge.disease_rows.get(case.disease)
    return case._replace(
        disease=case.disease if row is None else knowledge.diseases[row],
        observed=frozenset(knowledge.ontology.ids[rows[term]] for term in case.observed if term in rows),
        excluded=frozenset(knowledge.ontology.ids[rows[term]] for term in case.excluded if term in rows),
    )
