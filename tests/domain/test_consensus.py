"""Who is believed where clinicians differ, and how far they agree."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from cds_service.domain.consensus import (
    DISPUTED,
    LEAST_IN_COMMON,
    TIED,
    Agreement,
    Vote,
    cohen_kappa,
    settle,
    votes_on,
)


def a_vote(by: str, category: str | None, *, role: str = "client", **changes: Any) -> Vote:
    return Vote(by, role, "form", "no", category, **changes)


def said(*categories: str, roles: tuple[str, ...] = ()) -> tuple[Vote, ...]:
    """Votes of as many clinicians, one after the other."""
    given = roles or ("client",) * len(categories)
    return tuple(
        a_vote(f"Practitioner/{number}", category, role=role)
        for number, (category, role) in enumerate(zip(categories, given, strict=True), 1)
    )


def test_a_clinician_has_one_vote_the_last_and_only_on_what_they_spoke_of() -> None:
    labels = [
        a_vote("a", "mild"),
        a_vote("b", "acute"),
        a_vote("a", "chronic"),
        a_vote("b", None, code="1"),
    ]

    assert [(vote.by, vote.category) for vote in votes_on("category", labels)] == [("b", "acute"), ("a", "chronic")]
    assert votes_on("icu_admission", labels) == ()


@pytest.mark.parametrize(
    ("policy", "votes", "believed"),
    [
        ("latest", said("acute", "acute", "mild"), "mild"),
        ("majority", said("acute", "acute", "mild"), "acute"),
        ("majority", said("acute", "mild"), TIED),
        ("majority", said("acute", "mild", "chronic", "mild"), "mild"),
        ("senior", said("acute", "mild", "mild", roles=("clinician", "client", "client")), "acute"),
        ("senior", said("acute", "mild", roles=("client", "client")), "mild"),
        ("adjudicate", said("acute", "acute"), "acute"),
        ("adjudicate", said("acute", "mild"), DISPUTED),
        ("adjudicate", said("acute", "mild", "acute", roles=("client", "steward", "client")), "mild"),
    ],
)
def test_a_policy_says_whose_vote_is_believed(policy: str, votes: tuple[Vote, ...], believed: str) -> None:
    found = settle(policy, "category", votes)

    assert (found.category if isinstance(found, Vote) else found) == believed


def test_an_outcome_of_no_is_a_vote() -> None:
    no = a_vote("a", None, icu_admission=False)

    assert settle("latest", "icu_admission", votes_on("icu_admission", [no])) is no


def test_cohens_kappa_is_that_of_the_books_example() -> None:
    table = Counter({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15})

    assert cohen_kappa(table) == 0.4


def test_fleiss_kappa_is_that_of_the_published_example() -> None:
    """14 raters, 10 subjects, five classes: 0.21 in Fleiss 1971."""
    table = """0 0 0 0 14/0 2 6 4 2/0 0 3 5 6/0 3 9 2 0/2 2 8 1 1/7 7 0 0 0/3 2 6 3 0/2 5 3 2 2/6 5 2 1 0/0 2 2 3 7"""
    agreement = Agreement()
    for row in table.split("/"):
        classes = [f"class {place}" for place, n in enumerate(map(int, row.split())) for _ in range(n)]
        agreement.add("category", said(*classes))

    assert agreement.document()["fleiss"] == pytest.approx(0.210, abs=5e-4)


def test_a_pair_is_compared_when_it_has_enough_in_common_and_nobody_is_named() -> None:
    agreement = Agreement()
    for number in range(LEAST_IN_COMMON):
        agreement.add("category", said("acute" if number % 2 else "mild", "acute" if number % 2 else "mild"))
    agreement.add("category", said("acute"))

    document = agreement.document()

    assert document == {
        "predictions": LEAST_IN_COMMON,
        "fleiss": 1.0,
        "cohen": [{"predictions": LEAST_IN_COMMON, "kappa": 1.0}],
    }


def test_nothing_is_said_of_agreement_nobody_tested() -> None:
    assert Agreement().document() == {"predictions": 0, "fleiss": None, "cohen": []}
