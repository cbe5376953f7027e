"""The loop over HTTP with an invented hospital: predictions, labels, training, the gate, a person, the next card."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.demo.visits import Ward, sayings, visits
from tests.conftest import REPOSITORY
from tests.loop.conftest import ADA, Hospital, hospital

VISITS = 3000
POISONED = Ward(poisoned=0.6)
RARE = Ward(prevalence=0.02)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path) as found:
        yield found


# The parameters of a comparison cut down to a minute: fewer folds, smaller families, one option of each kind.
QUICK = (
    ("outer_folds = 3", "outer_folds = 2"),
    ("choice_rows = 6000", "choice_rows = 500"),
    ("resamples = 200", "resamples = 30"),
    ("n_estimators = 120", "n_estimators = 20"),
    ("rounds = 120", "rounds = 40"),
    ("nthread = 2", "nthread = 1"),
    ("epochs = 30", "epochs = 8"),
    ("components = 120", "components = 20"),
    ('steps = ["pressures", "shock-index", "logs", "pca", "lda"]', 'steps = ["shock-index"]'),
    ('tried = ["class-weights", "oversampling", "smote"]', 'tried = ["smote"]'),
)


def quick(directory: Path) -> Path:
    """A file of these parameters."""
    text = (REPOSITORY / "training" / "params.toml").read_text(encoding="utf-8")
    for whole, cut in QUICK:
        assert whole in text
        text = text.replace(whole, cut)
    target = directory / "params.toml"
    target.write_text(text, encoding="utf-8")
    return target


def retrained(running: Hospital, directory: Path) -> tuple[str, str]:
    """Version and verdict of a challenger trained on what the hospital's clinicians said."""
    how = (
        "--reason",
        "monthly",
        "--window",
        "2026-03",
        "--params",
        str(quick(directory)),
        "--trials",
        "1",
        "--synthetic",
    )
    found = running.cds("retrain", "risk", *how)
    return found["version"], found["verdict"]


def cpu_s() -> float:
    """Seconds of processor that commands have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
def test_what_a_hospital_says_becomes_the_next_card_and_is_taken_back_at_once(
    running: Hospital, tmp_path: Path
) -> None:
    asked = running.lives(VISITS, Ward(), seed=1)
    version, verdict = retrained(running, tmp_path)
    assert (len(asked), verdict) == (VISITS, "yes"), failed(tmp_path, version)

    running.cds("promote", "risk", version, *ADA)
    assert running.follows(version)
    started = cpu_s()
    running.cds("history", "risk")
    read = cpu_s()
    running.cds("rollback", "risk", *ADA)
    taken = (cpu_s() - read) - (read - started)

    assert running.follows("1.0.0")
    assert taken < 1.0  # beyond what a command costs that only reads
    with_both = [json.loads(line) for line in running.lines("history", "risk")]
    assert [one["action"] for one in with_both[:-1]] == ["seed", "promote", "rollback"]
    assert running.cds("audit", "verify")["ok"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ward", "verdict"), [(POISONED, "no"), (RARE, "not-enough-evidence")], ids=["poisoned", "few and rare"]
)
def test_what_teaches_nothing_good_is_not_put_in_force(
    running: Hospital, tmp_path: Path, ward: Ward, verdict: str
) -> None:
    running.lives(VISITS, ward, seed=2)
    version, found = retrained(running, tmp_path)

    assert found == verdict, failed(tmp_path, version)
    refused = running.run("promote", "risk", version, *ADA)
    assert (refused.returncode, "the gate said" in refused.stderr) == (1, True)
    assert running.next_version() == "1.0.0"


def failed(directory: Path, version: str) -> list[dict[str, Any]]:
    """The checks of the gate that the version did not pass."""
    verdict = json.loads((directory / "models" / "risk" / version / "gate.json").read_text(encoding="utf-8"))
    return [check for check in verdict["checks"] if not check["passed"]]


def test_the_invented_hospital_is_the_same_again_and_as_it_is_said_to_be() -> None:
    ward, found = Ward(), list(visits(2000, Ward(), 5))

    assert found == list(visits(2000, ward, 5))
    assert 0.17 < sum(visit.needs_icu for visit in found) / 2000 < 0.23
    said = [sayings(visit, ward, said_high=False, seed=5) for visit in found]
    assert said == [sayings(visit, ward, said_high=False, seed=5) for visit in found]
    assert 0.46 < sum(map(bool, said)) / 2000 < 0.54
    first_wrong = [
        one for visit, one in zip(found, said, strict=True) if one and one[0].icu_admission != visit.needs_icu
    ]
    assert 0.03 < len(first_wrong) / sum(map(bool, said)) < 0.08
    assert any(one[-1].clinician != one[0].clinician for one in said if one)


def test_clinicians_who_see_a_high_risk_are_swayed_and_poison_turns_labels_round() -> None:
    swayed, poisoned = Ward(labelled=1.0, swayed=1.0, corrected=0, disputed=0), Ward(labelled=1.0, poisoned=1.0)
    well = [visit for visit in visits(500, swayed, 6) if not visit.needs_icu]

    assert all(sayings(visit, swayed, said_high=True, seed=6)[0].icu_admission for visit in well)
    assert not any(sayings(visit, swayed, said_high=False, seed=6)[0].icu_admission for visit in well)
    turned = [sayings(visit, poisoned, said_high=False, seed=6)[0] for visit in well]
    assert sum(one.icu_admission for one in turned) > 0.9 * len(turned)
