"""The committed code tables are what the sources compile to, and the survey's codes reach every group."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest

from cds_service.domain.codes import ICD10CM, is_chronic
from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.errors import ConfigurationError
from cds_service.inference.codes import TABLES_FILE, load_code_tables
from training.__main__ import main
from training.codes import CHRONIC_FILE, compile_code_tables, read_table
from training.dataset import read_dataset

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "vitals"

needs_data = pytest.mark.skipif(
    not (DATA / CHRONIC_FILE).exists(), reason="the chronic-code data (../shared) are not here"
)


@needs_data
def test_committed_tables_are_what_their_sources_compile_to():
    directory = ROOT / "models" / "codes" / "1.0.0"

    files, described = compile_code_tables(DATA)

    assert (directory / TABLES_FILE).read_bytes() == files[TABLES_FILE]
    assert json.loads((directory / "manifest.json").read_text())["data"] == described["data"]


@needs_data
def test_every_listed_code_keeps_its_own_answer():
    tables = load_code_tables(ROOT / "models")
    lines = gzip.decompress((DATA / CHRONIC_FILE).read_bytes()).decode().split()[1:]

    wrong = [line for line in lines if is_chronic(tables, ICD10CM, line.split(",")[0]) is not (line[-1] == "1")]

    assert len(lines) == 72_446
    assert wrong == []


@needs_data
def test_training_visits_reach_every_group():
    groups = read_dataset(DATA).X[:, 9]

    assert {int(rank) for rank in groups if rank == rank} == set(range(len(COMPLAINT_GROUPS)))


@needs_data
def test_groups_are_in_the_order_of_their_risk():
    """Share admitted among adults of 2015-2017, smoothed towards the mean by 40 visits, as complaints.py says."""
    data = read_dataset(DATA)
    early = data.rows(data.year <= 2017)
    shares = []
    for rank in range(len(COMPLAINT_GROUPS)):
        admitted = early.y[early.X[:, 9] == rank]
        shares.append((admitted.sum() + 40 * early.y.mean()) / (len(admitted) + 40))

    assert shares == sorted(shares)


def test_ranges_of_the_survey_belong_to_one_group():
    spans = sorted(
        tuple(int(end.replace(".", "")) for end in span.split("-"))
        for entry in read_table("complaints").values()
        for span in entry["rfv"]
    )

    overlaps = [(a, b) for a, b in itertools.pairwise(spans) if b[0] <= a[1]]

    assert overlaps == []


@pytest.mark.parametrize("task", ["risk", "codes"])
def test_absent_data_are_named(task, tmp_path, capsys):
    code = main([task, "--data", str(tmp_path), "--out", str(tmp_path / "models" / task / "9.9.9")])

    assert code == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_a_published_version_is_refused_by_the_command(capsys):
    if not (DATA / CHRONIC_FILE).exists():
        pytest.skip("the chronic-code data (../shared) are not here")

    assert main(["codes", "--data", str(DATA)]) == 1
    assert "already published" in capsys.readouterr().err


def test_unreadable_tables_are_a_configuration_error(tmp_path):
    with pytest.raises(ConfigurationError):
        compile_code_tables(tmp_path)
