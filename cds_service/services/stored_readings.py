"""Readings of a patient that arrived by HL7 v2, for a call that brings none: used when all agrees on who it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine

from cds_service.domain.actor import Actor
from cds_service.domain.choose import Candidate, choose_readings
from cds_service.domain.latest import Arrived, standing_readings
from cds_service.domain.patient import Identity, PatientSnapshot, Reading, UnusedReading
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.timeliness import Window, window_at
from cds_service.services.records import DEEPEST, Records, neighbours, records_of
from cds_service.storage.identity import Keyring
from cds_service.storage.reading_log import Crossed, birth_text, read_events, read_readings, visit_text
from cds_service.storage.sessions import reading

# What the card says: readings were left out because something about the patient differs, or one was taken back.
NOT_AGREED, TAKEN_BACK = "stored-readings-not-agreed", "stored-reading-taken-back"

# Remarks on the visit with which nobody can say that it is the one the readings are of.
_NO_OPEN_VISIT = frozenset(
    {
        "encounter-not-sent",
        "encounter-not-found",
        "encounter-unreadable",
        "encounter-withdrawn",
        "no-encounter-under-way",
        "several-encounters",
    }
)


class Filled(NamedTuple):
    """The snapshot with stored readings, and which of them it rests on (message and number)."""

    snapshot: PatientSnapshot
    built_on: tuple[tuple[UUID, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ReadingsStore:
    """Where stored readings are looked up, and by which rules they are judged."""

    engine: Engine
    keyring: Keyring
    policy: ReadingPolicy

    def fill(self, snapshot: PatientSnapshot, actor: Actor) -> Filled:
        """The snapshot with the patient's stored readings beside its own; as it was where nothing is stored."""
        window = window_at(snapshot.at, self.policy, snapshot.encounter_class)
        found, records = self._read(snapshot.identity, actor, window)
        if not found:
            return Filled(snapshot)
        agreed = self._agreeing(found, snapshot, records)
        remarks = set(snapshot.remarks)
        if len(agreed) < len(found):
            remarks.add(NOT_AGREED)
        if any(one.change in ("corrects", "withdraws") for one in agreed):
            remarks.add(TAKEN_BACK)
        readings, unused, built_on = _chosen(agreed, window)
        filled = replace(
            snapshot,
            readings={**readings, **snapshot.readings},
            not_used=(*snapshot.not_used, *unused),
            remarks=tuple(sorted(remarks)),
        )
        return Filled(filled, built_on)

    def _read(self, identity: Identity, actor: Actor, window: Window) -> tuple[list[Crossed], Records]:
        """Everything recent that arrived under any identifier of the patient, and of records that are theirs too."""
        own = own_keys(identity, actor, self.keyring)
        if not own:
            return [], records_of(own, ())
        with reading(self.engine) as connection:
            keys, records = read_records(connection, own, actor)
            since = {"": window.oldest, **window.slow}
            found = read_readings(connection, actor.tenant, actor.environment, keys, since=since)
        return [one for one in found if records.holds(one.key, one.whose.visit)], records

    def _agreeing(self, found: list[Crossed], snapshot: PatientSnapshot, records: Records) -> list[Arrived]:
        """Readings whose birth date, sex and visit are this patient's, as far as they were ever said to be."""
        identity = snapshot.identity
        if identity.birth_date is None or snapshot.sex is None or not _NO_OPEN_VISIT.isdisjoint(snapshot.remarks):
            return []
        births = self.keyring.fingerprints(birth_text(identity.birth_date))
        visits = {
            print_
            for system, value in identity.visits
            for print_ in self.keyring.fingerprints(visit_text(system, value))
        }
        return [
            one.arrived
            for one in found
            if one.whose.birth in births
            and one.whose.sex == snapshot.sex
            and one.whose.is_under_way
            and not records.is_over(one.whose.visit, one.arrived.received_at)
            and (not visits or one.whose.visit is None or one.whose.visit in visits)
        ]


def own_keys(identity: Identity, actor: Actor, keyring: Keyring) -> set[str]:
    """The keys of the records the patient's own identifiers name, as far as a system stands behind them."""
    return {
        key
        for system, value in identity.identifiers
        if system
        for key in keyring.patient_keys(actor.tenant, f"{system}|{value}")
    }


def read_records(connection: Connection, own: Collection[str], actor: Actor) -> tuple[set[str], Records]:
    """Every record that ever had to do with these, and which of them are the patient's now."""
    keys, events = set(own), read_events(connection, actor.tenant, actor.environment, own)
    for _ in range(DEEPEST):
        wider = keys | neighbours(events, keys)
        if wider == keys:
            break
        keys = wider
        events = read_events(connection, actor.tenant, actor.environment, keys)
    return keys, records_of(own, events)


def _chosen(
    agreed: list[Arrived], window: Window
) -> tuple[dict[str, Reading], list[UnusedReading], tuple[tuple[UUID, int], ...]]:
    standing, unused = standing_readings(agreed)
    candidates: dict[str, list[Candidate]] = {}
    for found, arrived in standing:
        late = window.refusal(found.name, found.time)
        if late is None:
            candidates.setdefault(found.name, []).append((found, arrived))
        else:
            reason, detail, alarming = late
            unused.append(UnusedReading(found.name, reason, found.source, found.original, detail, found.time, alarming))
    readings = dict(choose_readings(candidates, unused, _ORDERS))
    sources = {one.source for one in readings.values()}
    built_on = tuple((arrived.message_id, arrived.number) for one, arrived in standing if one.source in sources)
    return readings, unused, built_on


def _correction(arrived: Arrived) -> float:
    return float(arrived.change == "corrects")


_ORDERS = (_correction,)
