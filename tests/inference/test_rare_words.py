"""Findings by what people type, and the knowledge base that loads beside the first requests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cds_service.domain.codes import SNOMED
from cds_service.domain.finding_codes import FindingCodes
from cds_service.domain.lab_findings import LABORATORY, laboratory_findings
from cds_service.domain.ontology import HPO
from cds_service.domain.phenotype import Finding
from cds_service.errors import Unavailable
from cds_service.inference.ranker_service import RareDiseases, RareDiseasesLater, load_rare_diseases
from cds_service.inference.ranker_words import is_near

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def rare() -> RareDiseases:
    return load_rare_diseases(MODELS)


@pytest.mark.parametrize(
    ("typed", "term"),
    [
        ("seizures", "HP:0001250"),
        ("Arachnodactyly", "HP:0001166"),
        ("arachnod", "HP:0001166"),
        ("lens disloc", "HP:0001083"),
        ("dislocation lens", "HP:0001083"),
        ("hepatomegly", "HP:0002240"),
        ("nystagmos", "HP:0000639"),
        ("TALL STATURE", "HP:0000098"),
    ],
)
def test_a_finding_is_found_by_name_synonym_beginning_or_slip(rare, typed, term):
    assert rare.words.search(typed)[0].term == term


@pytest.mark.parametrize("typed", ["", "   ", "qqqq", "🙂", "'; drop table", "x" * 5000])
def test_what_names_nothing_finds_nothing(rare, typed):
    assert rare.words.search(typed) == []


def test_hits_are_different_findings_and_no_more_than_asked(rare):
    hits = rare.words.search("seizure", 5)

    assert len({hit.term for hit in hits}) == 5


def test_inheritance_and_onset_are_no_findings(rare):
    assert rare.words.term("Autosomal dominant inheritance") is None
    assert rare.words.term("ectopia  LENTIS") == "HP:0001083"


@pytest.mark.parametrize(
    ("word", "typed", "slips", "near"),
    [
        ("seizure", "seizrue", 1, True),
        ("seizure", "sezure", 1, True),
        ("seizure", "seizuure", 1, True),
        ("hepatomegaly", "hepatomeg", 1, True),
        ("hepatomegaly", "hepatxmxgaly", 2, True),
        ("hepatomegaly", "hepatxmxgxly", 2, False),
        ("ataxia", "apraxia", 1, False),
        ("fever", "fewer", 0, False),
    ],
)
def test_slips_are_letters_changed_missed_added_or_swapped(word, typed, slips, near):
    assert is_near(word, typed, slips) is near


@pytest.mark.parametrize(
    ("system", "code", "term"),
    [
        (HPO, "HP:0001166", "HP:0001166"),
        (HPO, "HP_0001166", "HP:0001166"),
        ("http://purl.obolibrary.org/obo/hp.owl", "HP:0001166", "HP:0001166"),
        ("", "http://purl.obolibrary.org/obo/HP_0001166", "HP:0001166"),
        (HPO, "HP:0004715", "HP:0000003"),
        (SNOMED, "204962002", "HP:0000003"),
        ("http://terminology.hl7.org/CodeSystem/umls", "C3714581", "HP:0000003"),
        (HPO, "HP:9999999", None),
        (HPO, "HP:0000007", None),
        ("http://example.org", "HP:0001166", None),
        (SNOMED, "HP:0001166", None),
    ],
)
def test_codes_of_each_system_are_mapped_to_present_terms(rare, system, code, term):
    assert rare.codes.term(system, code) == term


def test_what_is_not_mapped_says_why(rare):
    assert rare.codes.unmapped(HPO, "HP:9999999", "x").reason == "unknown-code"
    assert rare.codes.unmapped(HPO, "HP:0000007", "x").reason == "not-a-finding"


def test_an_exclusion_that_an_observed_finding_contradicts_is_left_out_and_said(rare):
    focal, seizure, fever = Finding("HP:0007359"), Finding("HP:0001250", excluded=True), Finding("HP:0001945", True)

    kept, contradicted = rare.codes.consistent([focal, seizure, fever])

    assert set(kept) == {focal, fever}
    assert [(one.code, one.reason) for one in contradicted] == [("HP:0001250", "contradicted")]


def check_digit(number: str) -> int:
    """LOINC's, modulo 10 (Luhn)."""
    digits = [int(d) * (2 if at % 2 == 0 else 1) for at, d in enumerate(reversed(number))]
    return -sum(d // 10 + d % 10 for d in digits) % 10


@pytest.mark.parametrize("loinc", LABORATORY)
def test_every_laboratory_code_is_well_formed_and_its_terms_exist(rare, loinc):
    number, digit = loinc.split("-")
    codes: FindingCodes = rare.codes

    assert check_digit(number) == int(digit)
    terms = [term for term in LABORATORY[loinc][1:] if term]
    assert terms
    assert [codes.term(HPO, term) for term in terms] == terms


def test_a_normal_result_excludes_both_directions():
    assert laboratory_findings("2777-1", "low") == (("HP:0002148", False),)
    assert laboratory_findings("2777-1", "normal") == (("HP:0002148", True), ("HP:0002905", True))
    assert laboratory_findings("2160-0", "low") == ()


def test_until_it_is_loaded_who_asks_is_told_to_come_back():
    later = RareDiseasesLater(MODELS, failed=lambda text: None)

    with pytest.raises(Unavailable, match="is loading") as caught:
        later.get()
    later.start()
    assert caught.value.retry_after_s > 0
    assert later.wait(30)
    assert later.get().ranker.version == "1.0.0"


def test_a_knowledge_base_that_was_changed_is_told_and_never_used(tmp_path):
    shutil.copytree(MODELS / "rare", tmp_path / "rare")
    path = tmp_path / "rare" / "1.0.0" / "terms.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    told: list[str] = []
    later = RareDiseasesLater(tmp_path, failed=told.append)

    later.start()

    assert later.wait(30)
    assert "SHA-256" in told[0]
    with pytest.raises(Unavailable, match="could not be loaded"):
        later.get()
