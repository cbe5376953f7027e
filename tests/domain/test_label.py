"""What stands in the ledger of labels, whatever order its events came in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.domain.feedback import Feedback, diagnosing_reports, standing_report
from cds_service.domain.label import Kind, Label, Source, Status, current_labels, holds_alone, is_disputed, statuses
from cds_service.domain.policy import FeedbackPolicy
from cds_service.domain.quarantine import Circumstances, quarantine_reason

START = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)
POLICY = FeedbackPolicy()


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def a_label(number: int, **changes: Any) -> Label:
    moment = changes.pop("at", at(number))
    values: dict[str, Any] = {
        "id": UUID(int=number),
        "kind": Kind.LABEL,
        "thread": f"form:{number}",
        "source": Source.FORM,
        "tenant": "north",
        "environment": "production",
        "actor": "ehr",
        "author": "Practitioner/1",
        "role": "client",
        "observed_at": moment,
        "stands_at": moment,
        "received_at": moment,
        "saw_prediction": "no",
        "category": "acute",
    }
    return Label(**{**values, **changes})


def ids(labels: tuple[Label, ...]) -> list[int]:
    return [label.id.int for label in labels]


def test_a_correction_replaces_and_a_withdrawal_leaves_nothing() -> None:
    first = a_label(1)
    correction = a_label(2, thread=first.thread, refers_to=first.id, category="mild")
    withdrawal = a_label(3, thread=first.thread, refers_to=correction.id, kind=Kind.WITHDRAWAL)
    events = (first, correction, withdrawal)

    assert [ids(current_labels(events, at(minutes))) for minutes in (0, 1, 2, 3)] == [[], [1], [2], []]
    assert list(statuses(events, at(3)).values()) == [Status.WITHDRAWN, Status.WITHDRAWN, Status.NO_LABEL]


def test_at_one_moment_a_correction_and_then_a_withdrawal_come_last_whatever_their_ids() -> None:
    first = a_label(9, at=at(0))
    correction = a_label(2, at=at(0), thread=first.thread, refers_to=first.id)
    withdrawal = a_label(1, at=at(0), thread=first.thread, refers_to=correction.id, kind=Kind.WITHDRAWAL)

    for events in permutations((first, correction, withdrawal)):
        assert ids(current_labels(events, at(0))) == []
    assert ids(current_labels((first, correction), at(0))) == [2]


def test_what_is_held_back_replaces_nothing_until_it_is_released() -> None:
    first = a_label(1)
    doubtful = a_label(2, thread=first.thread, category="not-ill", quarantine="other-author")
    release = a_label(3, kind=Kind.RELEASE, thread=first.thread, refers_to=doubtful.id)
    events = (first, doubtful, release)

    assert [ids(current_labels(events, at(minutes))) for minutes in (2, 3)] == [[1], [2]]
    assert statuses(events, at(2))[doubtful.id] is Status.QUARANTINED


def test_labels_of_the_test_environment_never_count() -> None:
    events = (a_label(1), a_label(2, thread="form:1", environment="test"))

    assert ids(current_labels(events, at(9))) == [1]
    assert statuses(events, at(9))[UUID(int=2)] is Status.TEST


def test_a_release_by_a_test_client_still_releases_nothing_of_production() -> None:
    doubtful = a_label(1, quarantine="burst")
    release = a_label(2, kind=Kind.RELEASE, thread=doubtful.thread, refers_to=doubtful.id, environment="test")

    assert current_labels((doubtful, release), at(9)) == ()


@pytest.mark.parametrize(
    ("categories", "disputed"),
    [
        (("acute", "acute"), False),
        (("acute", "mild"), True),
        (("acute", "chronic"), False),
        (("not-ill", None), False),
        (("terminal", "not-ill", "mild"), True),
    ],
)
def test_labels_that_exclude_one_another_are_disputed(categories: tuple[str | None, ...], disputed: bool) -> None:
    labels = [a_label(number, category=category) for number, category in enumerate(categories, 1)]

    assert is_disputed(current_labels(labels, at(9))) is disputed


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("environment", ["production", "test"])
@pytest.mark.parametrize("quarantine", [None, "burst"])
def test_what_stands_alone_holds_as_the_whole_rule_says(kind: Kind, environment: str, quarantine: str | None) -> None:
    alone = a_label(1, kind=kind, environment=environment, quarantine=quarantine)

    assert holds_alone(kind=kind, environment=environment, quarantine=quarantine) is bool(
        current_labels([alone], at(9))
    )


MOMENTS = st.integers(0, 6).map(at)
EVENTS = st.lists(
    st.builds(
        a_label,
        st.integers(1, 40),
        kind=st.sampled_from(Kind),
        thread=st.sampled_from(("a", "b", "c")),
        stands_at=MOMENTS,
        received_at=MOMENTS,
        environment=st.sampled_from(("production", "production", "test")),
        quarantine=st.sampled_from((None, None, "burst")),
        refers_to=st.none() | st.integers(1, 40).map(lambda number: UUID(int=number)),
        category=st.sampled_from(("acute", "mild", "chronic", None)),
    ),
    max_size=12,
    unique_by=lambda label: label.id,
)


@given(EVENTS, st.randoms(use_true_random=False), MOMENTS)
def test_the_order_of_arrival_does_not_matter(events: list[Label], random: Any, as_of: datetime) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)

    assert current_labels(shuffled, as_of) == current_labels(events, as_of)
    assert statuses(shuffled, as_of) == statuses(events, as_of)


@given(EVENTS, EVENTS, MOMENTS)
def test_what_arrives_later_does_not_change_what_was_known_then(
    events: list[Label], more: list[Label], as_of: datetime
) -> None:
    known = {label.id for label in events}
    later = [label for label in more if label.received_at > as_of and label.id not in known]

    assert current_labels([*events, *later], as_of) == current_labels(events, as_of)


@given(EVENTS, MOMENTS)
def test_a_thread_has_at_most_one_current_label_and_none_held_back_or_of_tests(
    events: list[Label], as_of: datetime
) -> None:
    current = current_labels(events, as_of)
    released = {label.refers_to for label in events if label.kind is Kind.RELEASE and label.environment == "production"}

    assert len({label.thread for label in current}) == len(current)
    assert all(label.environment == "production" and label.kind is Kind.LABEL for label in current)
    assert all(label.quarantine is None or label.id in released for label in current)


# Feedback

STATES = {("own", "acute"): "acute", ("own", "mild"): "mild"}
REPORTS = st.lists(
    st.builds(
        lambda number, outcome, minute, reason: Feedback(
            UUID(int=number), UUID(int=0), outcome, at(minute), START, reason
        ),
        st.integers(1, 99),
        st.sampled_from(("accepted", "overridden")),
        st.integers(0, 4),
        st.sampled_from((None, ("own", "acute"), ("own", "mild"), ("other", "acute"))),
    ),
    max_size=7,
    unique_by=lambda report: report.id,
)


@given(REPORTS, st.randoms(use_true_random=False))
def test_reports_mean_the_same_in_any_order_and_each_only_adds(reports: list[Feedback], random: Any) -> None:
    shuffled = list(reports)
    random.shuffle(shuffled)

    entered: set[Any] = set()
    for count in range(len(shuffled) + 1):
        entered |= {(report.id, state) for report, state in diagnosing_reports(shuffled[:count], STATES)}
    assert entered == {(report.id, state) for report, state in diagnosing_reports(reports, STATES)}
    assert standing_report(shuffled) == standing_report(reports)


def test_the_last_report_by_its_own_time_holds() -> None:
    reports = [
        Feedback(UUID(int=n), UUID(int=0), outcome, at(minute), START)
        for n, (outcome, minute) in enumerate([("accepted", 3), ("overridden", 1), ("overridden", 2)])
    ]

    for order in permutations(reports):
        holds = standing_report(order)
        assert holds is not None
        assert holds.outcome == "accepted"
    assert standing_report([]) is None


# Quarantine

OTHERS = tuple(a_label(number, author=f"Practitioner/{number}", category="acute") for number in (7, 8))

HELD_BACK = {
    "nothing odd": (a_label(1), Circumstances(), None),
    "author-cap": (a_label(1), Circumstances(author_today=100), "author-cap"),
    "one under the cap": (a_label(1), Circumstances(author_today=99), None),
    "no clinician to count": (a_label(1, author=""), Circumstances(author_today=100), None),
    "sender-cap": (a_label(1, author=""), Circumstances(sender_today=2000), "sender-cap"),
    "burst": (a_label(1), Circumstances(author_last_minute=10), "burst"),
    "a whole problem list": (a_label(1, source=Source.CONDITION), Circumstances(author_last_minute=30), None),
    "other-author": (
        a_label(1, kind=Kind.WITHDRAWAL),
        Circumstances(referred=a_label(2, author="Practitioner/2")),
        "other-author",
    ),
    "own correction": (a_label(1), Circumstances(referred=a_label(2)), None),
    "observed before": (
        a_label(1, observed_at=at(-6)),
        Circumstances(predicted_at=START),
        "observed-before-prediction",
    ),
    "clocks differ": (a_label(1, observed_at=at(-4)), Circumstances(predicted_at=START), None),
    "not ill at NEWS2 7": (a_label(1, category="not-ill"), Circumstances(news2=7), "contradicts-record"),
    "not ill at NEWS2 6": (a_label(1, category="not-ill"), Circumstances(news2=6), None),
    "acute at NEWS2 0": (a_label(1), Circumstances(news2=0), None),
    "outvoted": (a_label(1, category="not-ill"), Circumstances(standing=OTHERS), "outvoted"),
    "one against one": (a_label(1, category="not-ill"), Circumstances(standing=OTHERS[:1]), None),
    "the others agree": (a_label(1, category="acute"), Circumstances(standing=OTHERS), None),
    "chronic as well": (a_label(1, category="chronic"), Circumstances(standing=OTHERS), None),
    "a release": (a_label(1, kind=Kind.RELEASE), Circumstances(author_today=1000), None),
}


@pytest.mark.parametrize("case", HELD_BACK)
def test_51_a_label_is_held_back_for_the_first_reason_that_holds(case: str) -> None:
    label, known, reason = HELD_BACK[case]

    assert quarantine_reason(label, known, POLICY) == reason
