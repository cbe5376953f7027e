from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select, update

from cds_service.domain.patient import Identity
from cds_service.errors import BadRequest, ConfigurationError, Unavailable
from cds_service.storage.identity import IdentityRows, Keyring, read_identity
from cds_service.storage.prediction_log import read_prediction
from cds_service.storage.sessions import for_writing
from cds_service.storage.tables import identities, predictions
from cds_service.storage.writer import GroupWriter
from tests.storage.builders import ADA, NOW, SECRET, an_entry, keyring


def test_the_identity_is_read_back_whole(engine: Engine, writer: GroupWriter) -> None:
    writer.submit(an_entry(patient=ADA))

    assert read_identity(engine, keyring(), keyring().patient_key("north", "p-1")) == ADA


def test_a_changed_identity_replaces_the_stored_one(engine: Engine, writer: GroupWriter) -> None:
    married = replace(ADA, name="Ada Otra")
    for patient in (ADA, married, married):
        writer.submit(an_entry(patient=patient))

    assert read_identity(engine, keyring(), keyring().patient_key("north", "p-1")) == married


def test_nothing_that_names_the_patient_is_in_the_file_in_the_clear(engine: Engine, writer: GroupWriter) -> None:
    writer.submit(an_entry(patient=ADA))

    with engine.connect() as connection:
        stored = repr([connection.execute(select(table)).all() for table in (identities, predictions)])
    assert not [word for word in ("Ada", "Ejemplo", "1955", "4711", "p-1") if word in stored]


@pytest.mark.parametrize("patient", [None, Identity("")], ids=["none", "no id"])
def test_an_unnamed_patient_has_no_key_and_no_identity(
    engine: Engine, writer: GroupWriter, patient: Identity | None
) -> None:
    entry = an_entry(patient=patient)
    writer.submit(entry)

    stored = read_prediction(engine, entry.id, "north")
    with engine.connect() as connection:
        rows = connection.execute(select(identities)).all()
    assert stored is not None
    assert (stored.patient_key, rows) == (None, [])


def test_tenants_and_secrets_give_other_keys_for_the_same_patient() -> None:
    other = Keyring("another secret, also long enough to be one")
    keys = {
        keyring().patient_key("north", "p-1"),
        keyring().patient_key("nor", "thp-1"),
        keyring().patient_key("south", "p-1"),
        other.patient_key("north", "p-1"),
    }

    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}


def test_a_row_moved_to_another_patient_is_not_read(engine: Engine, writer: GroupWriter) -> None:
    writer.submit(an_entry(patient=ADA))
    other = keyring().patient_key("north", "p-2")
    with for_writing(engine).begin() as connection:
        connection.execute(update(identities).values(patient_key=other))

    with pytest.raises(Unavailable, match="sealed"):
        read_identity(engine, keyring(), other)


def test_another_secret_cannot_read_and_says_which_key_sealed(engine: Engine, writer: GroupWriter) -> None:
    writer.submit(an_entry(patient=ADA))

    with pytest.raises(Unavailable, match=keyring().key_id):
        read_identity(engine, Keyring("x" * 40), keyring().patient_key("north", "p-1"))


def test_an_unknown_patient_has_no_identity(engine: Engine) -> None:
    assert read_identity(engine, keyring(), "0" * 32) is None


def test_a_short_secret_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="CDS_SECRET_KEY"):
        Keyring("short")


def test_the_secret_is_in_no_repr() -> None:
    ring = keyring()

    assert SECRET not in f"{ring!r} {ring} {IdentityRows(ring)!r}"
    assert not hasattr(ring, "__dict__")


def test_what_is_known_to_be_stored_is_not_sealed_again() -> None:
    rows = IdentityRows(keyring(), capacity=1)
    key, first, fingerprint = rows.row_for("north", ADA, NOW)
    rows.remember(key, fingerprint)

    assert first is not None
    assert rows.row_for("north", ADA, NOW)[1] is None
    assert rows.row_for("north", replace(ADA, name="Ada Otra"), NOW)[1] is not None

    other_key, _, other_fingerprint = rows.row_for("north", Identity("p-2"), NOW)
    rows.remember(other_key, other_fingerprint)
    assert rows.row_for("north", ADA, NOW)[1] is not None


def test_sealing_is_safe_from_many_threads() -> None:
    ring = keyring()

    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda i: ring.seal("k", str(i).encode()), range(500)))

    assert [ring.unseal("k", one) for one in sealed] == [str(i).encode() for i in range(500)]
    assert len({one[:12] for one in sealed}) == 500


def test_a_name_that_is_not_unicode_is_refused(writer: GroupWriter) -> None:
    with pytest.raises(BadRequest, match="patient"):
        writer.submit(an_entry(patient=Identity("p", "\ud800")))
