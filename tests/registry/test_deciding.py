"""Who may put which version of a model in force, what stands against it, and what can be asked later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cds_service.services.verdict import NEVER
from tests.conftest import Service, cds_in
from tests.published import check, judge, publish, reseal
from tests.registry.conftest import ADA, PASSWORD, REASON, answering, promote, rollback
from tests.storage.builders import eventually


def decided(service: Service) -> list[tuple[str, str, str]]:
    """Action, version and actor of every decision, as `cds history` tells them."""
    lines = cds_in(service, "history", "risk", "--json").stdout.splitlines()[:-1]
    return [(one["action"], one["version"], one["actor"]) for one in map(json.loads, lines)]


def audited(service: Service) -> list[str]:
    with service.runtime.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT action FROM audit WHERE object_type = 'model' ORDER BY seq")
        return [action for (action,) in rows]


def test_the_shipped_version_is_in_force_until_another_is_promoted(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")

    done = promote(ward, "1.1.0", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["trainer"] == "tara"
    assert answering(ward) == "1.1.0"
    assert decided(ward) == [("seed", "1.0.0", "service"), ("promote", "1.1.0", "ada")]
    assert audited(ward) == ["model-seed", "model-promote"]


def test_a_rollback_goes_back_one_version_at_a_time_and_never_past_the_first(ward: Service, models: Path) -> None:
    for version in ("1.1.0", "1.2.0"):
        publish(models, version)
        assert promote(ward, version).returncode == 0

    versions = []
    for _ in range(2):
        assert rollback(ward).returncode == 0
        versions.append(answering(ward))
    refused = rollback(ward)

    assert versions == ["1.1.0", "1.0.0"]
    assert (refused.returncode, answering(ward)) == (1, "1.0.0")
    assert "no version to go back to" in refused.stderr


def test_a_prediction_stays_as_it_was_stored_whatever_is_said_or_decided_later(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    made = ward.client.get("/predict?age=71&sex=male&heart_rate=128&encounter_class=EMER").get_json()
    before = stored(ward)

    said = ward.client.post(
        f"/predictions/{made['id']}/labels",
        json={"author": "Practitioner/7", "icu_admission": True, "saw_prediction": "yes"},
    )
    promoted, back = promote(ward, "1.1.0"), rollback(ward)

    assert (said.status_code, promoted.returncode, back.returncode) == (200, 0, 0)
    assert stored(ward) == before
    assert before[0]["model_version"] == "1.0.0"
    assert {"snapshot", "outcome", "shown", "site_hash", "reply"} <= before[0].keys()


def stored(service: Service) -> list[dict[str, Any]]:
    """Every prediction with all its columns."""
    with service.runtime.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.exec_driver_sql("SELECT * FROM predictions ORDER BY id")]


def test_history_answers_for_any_moment(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    promote(ward, "1.1.0")
    rollback(ward)
    times = [json.loads(line)["at"] for line in cds_in(ward, "history", "risk", "--json").stdout.splitlines()[:-1]]

    found = [cds_in(ward, "history", "risk", "--json", "--as-of", at).stdout.splitlines() for at in times[1:]]
    before = cds_in(ward, "history", "risk", "--json", "--as-of", "2020-01-01")

    assert [json.loads(lines[-1])["in_force"] for lines in found] == ["1.1.0", "1.0.0"]
    assert (before.returncode, json.loads(before.stdout)["in_force"]) == (1, None)


WHO = {
    "password": ({"user": "ada", "typed": "wrong password here"}, "not this password"),
    "nobody": ({"user": "eve"}, "no such user"),
    "clinician": ({"user": "carl"}, "steward or an admin"),
    "trainer": ({"user": "tara"}, "who trained a version does not promote it"),
}


@pytest.mark.parametrize("case", WHO)
def test_only_another_person_of_the_right_role_with_their_password_decides(
    ward: Service, models: Path, case: str
) -> None:
    publish(models, "1.1.0")
    asked, said = WHO[case]

    arguments = ("promote", "risk", "1.1.0", "--user", asked["user"], *REASON)
    done = cds_in(ward, *arguments, typed=asked.get("typed", PASSWORD))

    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert audited(ward) == ["model-seed", "model-refuse"]
    assert PASSWORD not in done.stderr


def test_the_trainer_is_known_by_the_account_too(ward: Service, models: Path) -> None:
    judge(publish(models, "1.1.0"), trainer="command:Ada")

    assert "who trained a version" in promote(ward, "1.1.0").stderr


def test_a_disabled_person_decides_nothing(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    cds_in(ward, "users", "disable", "ada")

    assert promote(ward, "1.1.0").returncode == 1


def damaged(directory: Path) -> None:
    path = directory / "full.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


def forged(directory: Path) -> None:
    verdict = json.loads((directory / "gate.json").read_text()) | {"trainer": "somebody"}
    (directory / "gate.json").write_text(json.dumps(verdict))


AGAINST: dict[str, tuple[Any, str]] = {
    "no verdict": (lambda directory: (directory / "gate.json").unlink(), "gate has to judge"),
    "changed verdict": (forged, "digest differs"),
    "not a verdict": (lambda directory: (directory / "gate.json").write_text("[]"), "not a verdict"),
    "of another artifact": (lambda directory: judge(directory, manifest_digest="0" * 64), "another artifact"),
    "of another version": (lambda directory: judge(directory, version="9.9.9"), "another artifact"),
    "said no": (lambda directory: judge(directory, verdict="no", checks=[check("latency")]), "--override"),
    "too little": (lambda directory: judge(directory, verdict="not-enough-evidence"), "not-enough-evidence"),
    "yes with failures": (lambda directory: judge(directory, checks=[check("latency")]), "yes with failed"),
    "damaged file": (damaged, "SHA-256"),
    "foreign name": (lambda directory: reseal(directory, version="7.0.0"), "manifest is not of"),
}


@pytest.mark.parametrize("case", AGAINST)
def test_what_stands_against_a_version_is_said_and_the_old_one_goes_on(ward: Service, models: Path, case: str) -> None:
    harm, said = AGAINST[case]
    harm(publish(models, "1.1.0"))

    done = promote(ward, "1.1.0")

    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert answering(ward) == "1.0.0"
    assert audited(ward) == ["model-seed", "model-refuse"]


def test_a_failed_check_that_may_be_is_overridden_by_name_and_kept(ward: Service, models: Path) -> None:
    directory = publish(models, "1.1.0")
    judge(directory, verdict="no", checks=[check("latency"), check("model-card")])

    assert promote(ward, "1.1.0", "--override", "latency").returncode == 1
    assert promote(ward, "1.1.0", "--override", "latency", "--override", "leakage").returncode == 1
    done = promote(ward, "1.1.0", "--override", "latency", "--override", "model-card", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["overrides"] == ["latency", "model-card"]


@pytest.mark.parametrize("name", sorted(NEVER))
@pytest.mark.parametrize("overridable", [True, False])
def test_what_may_never_be_overridden_is_not_whatever_the_file_says(
    ward: Service, models: Path, name: str, overridable: bool
) -> None:
    judge(publish(models, "1.1.0"), verdict="no", checks=[check(f"{name}:risk", overridable=overridable)])

    done = promote(ward, "1.1.0", "--override", f"{name}:risk")

    assert (done.returncode, "nobody may override" in done.stderr) == (1, True)


def test_not_enough_evidence_is_overridden_by_nobody(ward: Service, models: Path) -> None:
    judge(publish(models, "1.1.0"), verdict="not-enough-evidence", checks=[check("latency")])

    assert promote(ward, "1.1.0", "--override", "latency").returncode == 1


def test_a_rollback_onto_files_that_were_changed_is_refused(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    promote(ward, "1.1.0")
    reseal(models / "risk" / "1.0.0", note="another artifact of the same name")

    done = rollback(ward)

    assert (done.returncode, "not the artifact that was approved" in done.stderr) == (1, True)
    assert answering(ward) == "1.1.0"


@pytest.mark.parametrize("word", ["promote", "shadow"])
def test_a_name_stands_for_the_same_files_for_ever(ward: Service, models: Path, word: str) -> None:
    """So the version that a prediction names is one artifact, without a digest in every row."""
    directory = publish(models, "1.1.0")
    promote(ward, "1.1.0")
    rollback(ward)
    reseal(directory, note="another artifact of the same name")
    judge(directory)

    done = cds_in(ward, word, "risk", "1.1.0", *ADA, *REASON, typed=PASSWORD)

    assert (done.returncode, "stood for other files before" in done.stderr) == (1, True), done.stderr


PATIENTS = {
    "a real one": ("production", "north", "patient-view", 1),
    "of an invented hospital": ("production", "synthetic-hospital", "patient-view", 0),
    "of a made-up history": ("production", "north", "synthetic", 0),
    "of a test": ("test", "north", "patient-view", 0),
}


@pytest.mark.parametrize("whose", PATIENTS)
def test_what_made_up_patients_taught_never_answers_for_real_ones(ward: Service, models: Path, whose: str) -> None:
    *stored, refused = PATIENTS[whose]
    answering(ward)
    for version, synthetic in (("1.1.0", True), ("1.2.0", False)):
        judge(reseal(publish(models, version), synthetic=synthetic))
    promote(ward, "1.1.0")
    promote(ward, "1.2.0")
    with ward.runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE predictions SET environment = ?, tenant = ?, hook = ?", tuple(stored))

    back, again = rollback(ward), promote(ward, "1.1.0")

    assert [back.returncode, "made-up patients taught it" in back.stderr] == [refused, bool(refused)], back.stderr
    assert ("made-up patients taught it" in again.stderr) is bool(refused)


@pytest.mark.parametrize("arguments", [("promote", "risk", "1.1.0", *ADA), ("promote", "rare", "1.1.0", *ADA, *REASON)])
def test_usage_is_exit_2(ward: Service, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cds_in(ward, *arguments)

    assert stopped.value.code == 2


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201])
def test_a_decision_needs_a_reason(ward: Service, models: Path, reason: str) -> None:
    publish(models, "1.1.0")

    done = cds_in(ward, "promote", "risk", "1.1.0", *ADA, "--reason", reason, typed=PASSWORD)

    assert (done.returncode, "--reason" in done.stderr) == (1, True)


def test_current_is_not_looked_at_once_anything_is_decided(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    (models / "risk" / "CURRENT").write_text("1.1.0\n")

    ward.runtime.models.refresh()

    assert answering(ward) == "1.0.0"
    assert eventually(lambda: ward.runtime.models.versions() == {"risk": "1.0.0", "state": None})
