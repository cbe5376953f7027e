"""What a site learns, on each kind of database: by the use cases behind the doors, in any order, by several at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.rare_learning import SECRET as SITE_SECRET
from bench.rare_learning import Learnt, Site, course
from cds_service.domain.actor import Actor
from cds_service.domain.case_counts import Learned, ValidatedCase, learned_from
from cds_service.domain.label import Kind
from cds_service.errors import Conflict, NotFound
from cds_service.inference.ranker_bench import Case, phenotype_of, read_cases
from cds_service.services.forget import Retention, forget_one_patient, forget_what_is_old
from cds_service.services.overlays import Overlays, counted
from cds_service.services.record_label import LabelRequest, record_label
from cds_service.services.rotate_key import rotate_key
from cds_service.storage.identity import Keyring
from cds_service.storage.overlay import Overlay, read_overlay
from tests.conftest import REPOSITORY
from tests.databases import Database

CASES = read_cases(REPOSITORY / "fixtures" / "rare" / "learning.jsonl")
OPERATOR = Actor(name="command:op", kind="command", role="operator", tenant="north", environment="production")


@pytest.fixture
def site(database: Database) -> Iterator[Site]:
    """A site that weighs no case against the golden ones, which takes a third of a second each."""
    site = Site(database.url)
    site.rare = replace(site.rare, golden=())
    yield site
    site.close()


def test_a_case_is_found_earlier_with_each_confirmed_case_and_as_at_first_without(database: Database) -> None:
    site = Site(database.url)
    first, *others = CASES

    found = course(site, first, others, steps=(0, 1, 5))

    site.close()
    assert found.ranks == (0, 8, 1)
    assert (found.learnt, found.held, found.is_restored) == (5, 0, True)


Step = tuple[str, int, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["confirm", "confirm", "unconfirm", "withdraw"]),
        st.integers(0, 2),
        st.sampled_from(["second", "third"]),
    ),
    max_size=8,
)


def take(site: Site, tenant: str, step: Step, labels: list[Learnt], expected: dict[int, set[str]]) -> None:
    """One step at the door, and what it must leave: who confirms which label."""
    action, number, name = step
    label = labels[number]
    if action == "withdraw":
        request = LabelRequest(kind=Kind.WITHDRAWAL, author="first", refers_to=label.label_id)
        record_label(label.prediction_id, request, site.received(tenant, "first"), writer=site.writer)
        expected.pop(number, None)
    elif number not in expected:
        with pytest.raises((Conflict, NotFound)):
            (site.confirm if action == "confirm" else site.unlearn)(tenant, label, "stranger")
    elif action == "confirm":
        site.confirm(tenant, label, name)
        expected[number].add(name)
    elif name in expected[number]:
        site.unlearn(tenant, label, name)
        expected[number].discard(name)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_in_any_order_what_counts_is_what_is_confirmed_and_none_when_all_is_taken_back(
    site: Site, steps: list[Step]
) -> None:
    tenant = f"t{site.now:%j%H%M}"
    labels = [site.labelled(tenant, case) for case in CASES[1:4]]
    before = site.ranked(tenant, CASES[0])[1]
    expected: dict[int, set[str]] = {number: set() for number in range(3)}
    for step in steps:
        take(site, tenant, step, labels, expected)
        overlay = read_overlay(site.engine, tenant)
        counting = {number for number, names in expected.items() if names}
        assert learned_from(overlay.cases, "") == one_by_one(case_from(CASES[n + 1], site) for n in sorted(counting))
    for number, names in expected.items():
        for name in names:
            site.unlearn(tenant, labels[number], name)

    after = site.ranked(tenant, CASES[0])[1]
    assert replace(after, learned_version="") == replace(before, learned_version="")


def case_from(case: Case, site: Site) -> ValidatedCase:
    found = phenotype_of(case, site.rare.ranker.knowledge.ontology).findings
    parts = [frozenset(one.term for one in found if one.excluded is excluded) for excluded in (False, True)]
    return ValidatedCase(case.id, case.diagnosis, *parts)


def one_by_one(cases: Iterable[ValidatedCase]) -> Learned:
    learned = Learned()
    for case in cases:
        learned = learned.with_case(case.disease, observed=case.observed, excluded=case.excluded)
    return learned


def test_two_processes_that_confirm_at_once_lose_no_case(database: Database) -> None:
    sites = [Site(database.url) for _ in range(2)]
    labels = [sites[0].labelled("north", case) for case in CASES[1:5]]
    for site in sites:
        site.rare = replace(site.rare, golden=())
        site.now = sites[0].now

    with ThreadPoolExecutor(4) as pool:
        told = [pool.submit(sites[n % 2].confirm, "north", label, f"user{n}") for n, label in enumerate(labels)]
        assert [one.result().kind for one in told] == [Kind.CONFIRMATION] * 4

    assert [len(read_overlay(sites[0].engine, "north").cases)] == [4]
    assert {site.ranked("north", CASES[0])[1].learned_version for site in sites} == {"4"}
    for site in sites:
        site.close()
    assert database.damage() == []


def test_another_process_uses_a_case_at_its_next_query(database: Database, site: Site) -> None:
    other = Site(database.url)
    other.now = site.now
    assert other.ranked("north", CASES[0])[1].learned_version == ""

    learnt = site.learn("north", CASES[1])
    assert other.ranked("north", CASES[0])[1].learned_version == "1"
    site.unlearn("north", learnt)

    assert other.ranked("north", CASES[0])[1].learned_version == "2"
    assert other.ranked("south", CASES[0])[1].learned_version == ""
    other.close()


def test_a_patients_own_case_never_counts_for_them(site: Site) -> None:
    before = site.ranked("north", CASES[0])[1]
    site.learn("north", CASES[0])

    own, others = site.ranked("north", CASES[0])[1], site.ranked("north", CASES[0]._replace(id="another"))[1]

    assert own.candidates == before.candidates
    assert own.learned_version == others.learned_version == "1"
    assert [one.learned_from for one in others.candidates if one.id == CASES[0].diagnosis] == [1]


def test_a_patient_confirmed_twice_counts_once_with_all_findings(site: Site) -> None:
    for case in (CASES[1], CASES[2]._replace(id=CASES[1].id)):
        site.learn("north", case)

    learned = counted(read_overlay(site.engine, "north"), site.rare.ranker)

    counts = learned.counts[CASES[1].diagnosis]
    assert counts.cases == 1
    assert set(counts.seen) == {*CASES[1].observed, *CASES[2].observed}
    assert set(counts.seen.values()) == {1}


def test_an_erased_patients_case_is_unlearned_and_nobody_elses(site: Site) -> None:
    for case in CASES[1:3]:
        site.learn("north", case)
    site.learn("south", CASES[3])

    forget_one_patient(
        site.writer.submit_change, site.keyring, CASES[1].id, actor=OPERATOR, at=site.now, reference="request 7"
    )

    overlay = read_overlay(site.engine, "north")
    assert [case.observed for case in overlay.cases] == [frozenset(CASES[2].observed)]
    assert overlay.version == 3
    assert read_overlay(site.engine, "south").version == 1


def test_old_cases_go_with_their_confirmations(site: Site) -> None:
    site.learn("north", CASES[1])

    forget_what_is_old(site.writer.submit_change, Retention(days=30), actor=OPERATOR, at=site.now + timedelta(days=31))

    assert read_overlay(site.engine, "north") == Overlay(2)


def test_after_another_secret_the_own_case_is_still_known_and_a_confirmation_can_be_taken_back(
    database: Database, site: Site
) -> None:
    learnt = site.learn("north", CASES[0])
    other = Site(database.url)
    other.now, other.keyring = site.now, Keyring("a new secret of the tests, long enough as well", SITE_SECRET)
    other.overlays = Overlays(other.engine, other.keyring)
    before = site.ranked("north", CASES[0])[1].candidates

    assert other.ranked("north", CASES[0])[1].candidates == before
    rotate_key(other.writer.submit_change, other.keyring, actor=OPERATOR, at=site.now)
    assert other.ranked("north", CASES[0])[1].candidates == before
    other.unlearn("north", learnt)

    assert read_overlay(site.engine, "north") == Overlay(2)
    other.close()


def test_what_is_learned_is_audited_without_the_disease(database: Database, site: Site) -> None:
    site.unlearn("north", site.learn("north", CASES[1]))

    rows = database.rows("SELECT action, actor, detail FROM audit WHERE object_type = 'rare-case' ORDER BY seq")

    assert rows == [("learn", "second", '{"version":1}'), ("unlearn", "second", '{"version":2}')]


def test_a_case_confirmed_under_another_release_is_read_in_the_words_of_this_one(site: Site) -> None:
    case = ValidatedCase("p", "ORPHA:558", frozenset({"HP:0004715", "HP:9999999"}), frozenset({"HP:9999998"}))

    learned = counted(Overlay(1, (case,)), site.rare.ranker)

    assert dict(learned.counts["OMIM:154700"].seen) == {"HP:0000003": 1}
    assert learned.counts["OMIM:154700"].denied == {}
    assert site.rare.ranker.learn(learned).version == "1"
