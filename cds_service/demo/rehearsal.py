"""The rehearsal of a hospital: visits, monitors, clinicians, a drift, a model that follows it and is taken back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from cds_service.demo.calling import Asked, Caller, tell
from cds_service.demo.ehr import Monitor, diagnosis_call, hook_call, monitor_message, report
from cds_service.demo.hospital import STEWARD, Hospital, quick_parameters
from cds_service.demo.visits import LIKE_THE_SURVEY, Visit, Ward, visits
from cds_service.errors import Unavailable

# The first quarter of the visits is before the drift; every fourth is in an EHR that asks, every tenth has a monitor.
BEFORE, IN_THE_EHR, MONITORED = 4, 4, 10
# A fall of the AUROC that asks for retraining. Chosen by us: well beyond what a few hundred visits vary by.
FALL = 0.05
# Fewer visits, or labels of fewer of them, are too little evidence for the gate (training/gate.toml).
VISITS, WARD = 3000, Ward(labelled=0.6)
_HOOK = "/cds-services/vitals-risk"

Shown = Callable[[Iterable[Visit], int], Iterable[Visit]]


@dataclass(frozen=True)
class Play:
    """How long and with whom: `ward` is how its clinicians are, who speak `delay` visits later."""

    visits: int = VISITS
    seed: int = 1
    delay: int = 50
    ward: Ward = WARD


@dataclass
class Came:
    """What came of it, for whoever watches and for the tests."""

    predictions: int = 0
    cards: int = 0
    messages: int = 0
    labels: int = 0
    auroc: list[float] = field(default_factory=list)
    version: str = ""
    verdict: str = ""
    in_force: list[str] = field(default_factory=list)


def rehearse(made: Hospital, play: Play, show: Shown, say: Callable[[str], None]) -> Came:
    """The whole rehearsal, told line by line.

    Unavailable where the service says no to what it should do, or the hospital's time is over before its end.
    """
    came = Came()
    since = live(made, play, show, say, came)
    if not came.auroc[0] - came.auroc[1] >= FALL:
        say("No retraining is proposed: the model does as well as before.")
        return came
    say(f"Retraining is proposed: a fall of more than {FALL}. Families are compared, the gate judges (a minute) …")
    _retrain(made, play, since, came)
    say(f"  The gate says of risk {came.version}: {came.verdict}.")
    if came.verdict == "yes":
        _promote(made, came, say)
    return came


def live(made: Hospital, play: Play, show: Shown, say: Callable[[str], None], came: Came) -> datetime:
    """All the visits, and when the drift began."""
    first = play.visits // BEFORE
    quiet = replace(play.ward, shifts=LIKE_THE_SURVEY)
    say(f"Quiet days: {first} visits as the model learned them.")
    _days(made, replace(play, visits=first, ward=quiet), show, came)
    since = datetime.now(UTC)
    say(f"  risk 1.0.0 tells who needs intensive care with an AUROC of {came.auroc[0]:.2f}.")
    say(f"Then other patients come, whom the model never learned: {play.visits - first} visits.")
    _days(made, replace(play, visits=play.visits - first, seed=play.seed + 1), show, came)
    say(f"  Its AUROC among them is {came.auroc[1]:.2f}.")
    return since


def _days(made: Hospital, play: Play, show: Shown, came: Came) -> None:
    """Visits one after the other, each answered; clinicians speak of them later."""
    told: deque[Asked] = deque()
    scored: list[tuple[float, bool]] = []
    with closing(Caller(made.http_port, made.token)) as caller, closing(Monitor(made.mllp_port)) as monitor:
        for number, visit in enumerate(show(visits(play.visits, play.ward, play.seed), play.visits)):
            made.bound.left_s()
            at = datetime.now(UTC)
            if number % MONITORED == 0:
                monitor.send(monitor_message(visit, at))
                came.messages += 1
            if number % IN_THE_EHR == 0:
                _in_the_ehr(caller, visit, at, number, came)
            answer = Asked(visit, caller.post("/predict", visit.form))
            came.predictions += 1
            if answer.prediction["risk"]:
                scored.append((answer.prediction["risk"]["probability"], visit.needs_icu))
            told.append(answer)
            if len(told) > play.delay:
                came.labels += tell(caller, [told.popleft()], play.ward, play.seed)
        came.labels += tell(caller, list(told), play.ward, play.seed)
    came.auroc.append(auroc(scored))


def _in_the_ehr(caller: Caller, visit: Visit, at: datetime, number: int, came: Came) -> None:
    """The record is opened: cards, what becomes of them, and now and then a diagnosis."""
    for card in caller.post(_HOOK, hook_call(visit, at))["cards"]:
        came.cards += 1
        if number % 3 == 0:
            said = report(card, datetime.now(UTC), agrees=visit.needs_icu)
            caller.post(f"{_HOOK}/feedback", {"feedback": [said]})
    if number % 5 == 0:
        caller.post("/cds-services/diagnosis-label", diagnosis_call(visit, f"Practitioner/invented-{number % 40}"))


def _retrain(made: Hospital, play: Play, since: datetime, came: Came) -> None:
    how = ["--reason", "drift", "--window", f"demo-{play.seed}", "--since", since.isoformat(), "--synthetic"]
    parameters = str(quick_parameters(made.directory))
    found = made.command("retrain", "risk", *how, "--params", parameters, "--trials", "1")
    came.version, came.verdict = found["version"], found["verdict"]


def _promote(made: Hospital, came: Came, say: Callable[[str], None]) -> None:
    """Put the challenger in force, see it answer, and take it back."""
    for word, *named in (("promote", came.version), ("rollback",)):
        made.command(word, "risk", *named, "--user", STEWARD, "--reason", f"rehearsed: {word}")
        came.in_force.append(_next_version(made, [came.version, "1.0.0"][word == "rollback"]))
        say(f"  cds {word} risk: the next prediction is by {came.in_force[-1]}.")


def _next_version(made: Hospital, awaited: str) -> str:
    """The version the next predictions name, once it is the awaited one; a switch reaches the service in seconds."""
    with closing(Caller(made.http_port, made.token)) as caller:
        for found in _versions(caller):
            if found == awaited:
                return found
    raise Unavailable(f"does not answer with {awaited}", where="/predict")


def _versions(caller: Caller) -> Iterator[str]:
    for seed in range(200):
        [visit] = visits(1, Ward(), 10_000 + seed)
        yield str(caller.post("/predict", visit.form)["model"]["version"])


def auroc(scored: Sequence[tuple[float, bool]]) -> float:
    """How often who needed intensive care had the higher probability; NaN where all or none did."""
    probability = np.array([one for one, _ in scored])
    needed = np.array([one for _, one in scored], dtype=bool)
    if not 0 < needed.sum() < len(needed):
        return float("nan")
    higher = probability[needed][:, None] > probability[~needed][None, :]
    same = probability[needed][:, None] == probability[~needed][None, :]
    return float(np.mean(higher + 0.5 * same))
