"""What is stored of a prediction names nobody, and is the record otherwise."""

from __future__ import annotations

from dataclasses import fields, replace

import msgspec
import pytest

from cds_service.domain.patient import Identity, PatientSnapshot
from cds_service.services.stored import snapshot_bytes, snapshot_from_bytes
from tests.factories import a_snapshot

RECORDS = {
    "healthy": a_snapshot(),
    "nothing known": PatientSnapshot(at=a_snapshot().at, identity=Identity("1288992")),
    "much left out": a_snapshot(spo2=None, pregnant=True, remarks=("a", "b"), conditions=()),
}


@pytest.mark.parametrize("snapshot", RECORDS.values(), ids=RECORDS)
def test_a_record_is_stored_as_it_is_but_for_who_it_is_of(snapshot: PatientSnapshot) -> None:
    stored = snapshot_bytes(snapshot)

    nobody = replace(snapshot, identity=Identity(""))
    assert stored == msgspec.json.encode(replace(nobody, readings=dict(snapshot.readings)))
    assert snapshot_from_bytes(stored) == nobody
    assert list(msgspec.json.decode(stored)) == [field.name for field in fields(PatientSnapshot)]
    assert b"1288992" not in stored
