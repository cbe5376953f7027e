"""Codes of findings to HPO terms: old ids, other systems, what has no meaning here, and what contradicts itself."""

from __future__ import annotations

import pytest

from cds_service.domain.case_counts import Learned
from cds_service.domain.finding_codes import FindingCodes
from cds_service.domain.ontology import PHENOTYPIC_ABNORMALITY, build_ontology
from cds_service.domain.phenotype import Finding, Phenotype, settled

HPO, SNOMED, UMLS = "http://human-phenotype-ontology.org", "http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.86"
ALL, SEIZURE, FOCAL, INHERITANCE = "HP:0000001", "HP:0001250", "HP:0007359", "HP:0000005"
ALTERNATIVE, OBSOLETE = "HP:0002125", "HP:0006997"


@pytest.fixture(scope="module")
def codes() -> FindingCodes:
    """All, phenotypic abnormality, seizure, focal seizure and inheritance, with one old id of each kind."""
    ids = [ALL, PHENOTYPIC_ABNORMALITY, INHERITANCE, SEIZURE, FOCAL]
    ontology = build_ontology(ids, ids, [[], [0], [0], [1], [3]], {ALTERNATIVE: 3, OBSOLETE: 4})
    return FindingCodes(ontology, snomed={"91175000": 3}, umls={"C0036572": 3})


@pytest.mark.parametrize(
    ("system", "code", "term"),
    [
        (HPO, SEIZURE, SEIZURE),
        (HPO, ALTERNATIVE, SEIZURE),
        (HPO, OBSOLETE, FOCAL),
        ("", SEIZURE, SEIZURE),
        ("http://purl.obolibrary.org/obo/hp.owl", "http://purl.obolibrary.org/obo/HP_0001250", SEIZURE),
        (SNOMED, "91175000", SEIZURE),
        (UMLS, "C0036572", SEIZURE),
        (HPO, INHERITANCE, None),
        (HPO, PHENOTYPIC_ABNORMALITY, None),
        (HPO, "HP:9999999", None),
        (HPO, "91175000", None),
        (SNOMED, SEIZURE, None),
        ("http://example.org", "91175000", None),
    ],
)
def test_each_system_has_its_own_codes_and_old_ids_are_the_term_of_today(codes, system, code, term):
    assert codes.term(system, code) == term


@pytest.mark.parametrize(
    ("code", "reason"), [("HP:9999999", "unknown-code"), ("nonsense", "unknown-code"), (INHERITANCE, "not-a-finding")]
)
def test_a_code_without_a_meaning_is_kept_with_its_reason(codes, code, reason):
    kept = codes.unmapped(HPO, code, "Condition/c1")

    assert (kept.code, kept.reason, kept.source) == (code, reason, "Condition/c1")


def test_an_exclusion_that_an_observed_finding_contradicts_is_left_out_and_said(codes):
    listed = [Finding(FOCAL), Finding(SEIZURE, excluded=True)]

    findings, contradicted = codes.consistent(listed)

    assert [finding.term for finding in findings] == [FOCAL]
    assert [(one.code, one.reason) for one in contradicted] == [(SEIZURE, "contradicted")]
    assert codes.consistent([Finding(SEIZURE), Finding(FOCAL, excluded=True)])[1] == ()


def test_repeats_count_once_and_order_does_not_matter():
    listed = [Finding(SEIZURE, source="a"), Finding(FOCAL), Finding(SEIZURE, source="b"), Finding(SEIZURE, True)]

    assert settled(listed) == settled([*reversed(listed), *listed])
    assert len(settled(listed)) == 3
    assert Phenotype(tuple(listed)).n_findings == 2


def test_what_a_vital_sign_says_gives_way_to_a_finding_and_is_not_counted():
    listed = [Finding(SEIZURE, by_vital=True), Finding(SEIZURE), Finding(FOCAL, by_vital=True)]

    assert [finding.by_vital for finding in settled(listed)] == [False, True]
    assert Phenotype(tuple(listed)).n_findings == 1


def test_counts_come_back_to_nothing_in_whatever_order_cases_leave():
    cases = [{"observed": [SEIZURE, FOCAL]}, {"observed": [SEIZURE], "excluded": [FOCAL]}, {"observed": [FOCAL]}]
    learned = Learned("1")
    for case in cases:
        learned = learned.with_case("OMIM:1", **case)

    for case in (cases[1], cases[2], cases[0]):
        learned = learned.without_case("OMIM:1", **case)

    assert learned == Learned("1")
