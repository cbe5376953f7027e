"""The loop over HTTP with an invented hospital: predictions, labels, training, the gate, a person, the next card."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.cli.demo import WITHIN_S
from cds_service.demo.hospital import TENANT, quick_parameters
from cds_service.demo.rehearsal import MONITORED, VISITS, Play, rehearse
from cds_service.demo.visits import Ward, sayings, visits
from tests.loop.conftest import ADA, Hospital, hospital

POISONED = Ward(poisoned=0.6)
RARE = Ward(prevalence=0.02)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path) as found:
        yield found


def retrained(running: Hospital, directory: Path) -> tuple[str, str]:
    """Version and verdict of a challenger trained on what the hospital's clinicians said."""
    how = (
        "--reason",
        "monthly",
        "--window",
        "2026-03",
        "--params",
        str(quick_parameters(directory)),
        "--trials",
        "1",
        "--synthetic",
    )
    found = running.cds("retrain", "risk", *how)
    return found["version"], found["verdict"]


def spent(*whose: int) -> float:
    """Seconds of processor until now, by this process or by its children that have ended."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))


def cost(running: Hospital, *words: str) -> float:
    """Seconds of processor that a command takes from its start to its end, however busy the machine is."""
    before = spent(resource.RUSAGE_CHILDREN)
    running.cds(*words)
    return spent(resource.RUSAGE_CHILDREN) - before


@pytest.fixture
def frugal() -> Iterator[None]:
    """What is begun and ended here takes the processor no longer than a rehearsal may last.

    One thing is done after the other, so on idle cores it lasts no longer than that, but for waiting for the disk.
    """
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    before = spent(*whose)
    yield
    assert spent(*whose) - before <= WITHIN_S


@pytest.mark.slow
def test_what_a_hospital_says_becomes_the_next_card_and_is_taken_back_at_once(frugal: None, running: Hospital) -> None:
    """The whole of `cds demo` as it is: hooks, messages, labels, a drift, the gate, a promotion and its rollback."""
    said: list[str] = []

    came = rehearse(running.made, Play(), lambda found, _: found, said.append)

    assert (came.predictions, came.messages) == (VISITS, VISITS // MONITORED)
    assert came.verdict == "yes", failed(running.made.directory, came.version)
    assert came.in_force == [came.version, "1.0.0"]
    assert "Retraining is proposed" in "\n".join(said)
    with_both = [json.loads(line) for line in running.lines("history", "risk")]
    assert [one["action"] for one in with_both[:-1]] == ["seed", "promote", "rollback"]
    assert running.cds("audit", "verify")["ok"]
    assert kept_as(running) == {("predictions", TENANT), ("labels", TENANT), ("messages", TENANT), ("feedback", TENANT)}
    promote, rollback = ("promote", "risk", came.version, *ADA), ("rollback", "risk", *ADA)
    read, *taken = (cost(running, *words) for words in (("history", "risk"), promote, rollback, promote, rollback))
    assert min(taken[::2]) - read < 1.0  # beyond what a command costs that only reads
    assert min(taken[1::2]) < 1.0  # the whole process, its interpreter and imports with it


def kept_as(running: Hospital) -> set[tuple[str, str]]:
    """Whose the rows are, by table: a name that says they are made up."""
    tables = ("predictions", "labels", "messages", "feedback")
    with closing(sqlite3.connect(running.made.directory / "cds.db")) as connection:
        found = {name: connection.execute(f"SELECT DISTINCT tenant FROM {name}").fetchall() for name in tables}
    return {(name, tenant) for name, rows in found.items() for (tenant,) in rows}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ward", "number", "verdict"),
    [(POISONED, VISITS // 2, "no"), (RARE, VISITS, "not-enough-evidence")],
    ids=["poisoned", "few and rare"],
)
def test_what_teaches_nothing_good_is_not_put_in_force(
    running: Hospital, tmp_path: Path, ward: Ward, number: int, verdict: str
) -> None:
    running.lives(number, ward, seed=2)
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
    unseen = [sayings(visit, replace(swayed, seen=0.0), said_high=True, seed=6)[0] for visit in well]
    assert not any(one.icu_admission or one.saw_prediction == "yes" for one in unseen)
    turned = [sayings(visit, poisoned, said_high=False, seed=6)[0] for visit in well]
    assert sum(one.icu_admission for one in turned) > 0.9 * len(turned)
