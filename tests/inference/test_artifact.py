"""A damaged, foreign or tampered artifact is refused with one clear line, and nothing in it is run."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import open_artifact
from cds_service.inference.codes import load_code_tables
from cds_service.inference.predictor import load_predictor
from tests.published import reseal

MODELS = Path(__file__).parents[2] / "models"
VERSION = (MODELS / "risk" / "CURRENT").read_text().strip()
FILES = sorted(json.loads((MODELS / "risk" / VERSION / "manifest.json").read_text())["files"])


def refusal(models: Path, task: str = "risk", version: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_code_tables(models, version) if task == "codes" else load_predictor(models, task, version)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused(models_copy, name):
    path = models_copy / "risk" / VERSION / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert "SHA-256" in refusal(models_copy)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused(models_copy, name):
    path = models_copy / "risk" / VERSION / name
    path.write_bytes(path.read_bytes()[:-1])

    assert "bytes" in refusal(models_copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(models_copy, name):
    (models_copy / "risk" / VERSION / name).unlink()

    assert name in refusal(models_copy)


def test_of_the_files_asked_for_those_it_has_are_read(models_copy):
    asked = {"reference.json", "no-such-file"}
    (models_copy / "risk" / VERSION / "shap.npz").unlink()

    assert list(open_artifact(models_copy, "risk", only=asked).files) == ["reference.json"]

    (models_copy / "risk" / VERSION / "reference.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="bytes"):
        open_artifact(models_copy, "risk", only=asked)


def test_a_changed_manifest_is_refused(models_copy):
    path = models_copy / "risk" / VERSION / "manifest.json"
    path.write_text(path.read_text().replace('"base_rate": 0.0', '"base_rate": 0.1'))

    assert "digest" in refusal(models_copy)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"files": 1}'])
def test_a_manifest_that_is_none_is_refused(models_copy, content):
    (models_copy / "risk" / VERSION / "manifest.json").write_text(content)

    assert "manifest.json" in refusal(models_copy)


def test_another_order_of_features_is_refused(models_copy):
    directory = models_copy / "risk" / VERSION
    features = json.loads((directory / "manifest.json").read_text())["features"]

    reseal(directory, features=features[::-1])

    assert "other features" in refusal(models_copy)


def test_a_population_no_card_has_words_for_is_refused(models_copy):
    reseal(models_copy / "risk" / VERSION, population="elsewhere")

    assert "'elsewhere' is none of survey, hospital, invented" in refusal(models_copy)


def test_another_tasks_artifact_is_refused(models_copy):
    target = models_copy / "risk" / "2.0.0"
    (models_copy / "codes" / "1.0.0").rename(target)

    assert "is not of risk 2.0.0" in refusal(models_copy, version="2.0.0")


def test_a_pickle_in_the_archive_is_not_loaded(models_copy, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    directory = models_copy / "risk" / VERSION
    buffer = io.BytesIO()
    np.savez(buffer, **{"full.slots": np.array([Bomb()], dtype=object)})
    (directory / "shap.npz").write_bytes(buffer.getvalue())
    reseal(directory)

    assert "plain array archive" in refusal(models_copy)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no archive", pickle.dumps({"a": 1})])
def test_what_is_no_archive_of_tables_is_refused(models_copy, content):
    directory = models_copy / "risk" / VERSION
    (directory / "shap.npz").write_bytes(content)
    reseal(directory)

    assert "plain array archive" in refusal(models_copy)


def test_tables_of_another_tier_are_refused(models_copy):
    directory = models_copy / "risk" / VERSION
    with np.load(directory / "shap.npz") as archive:
        arrays = dict(archive)
    np.savez(directory / "shap.npz", **(arrays | {"full.rows": arrays["full.rows"] * np.float32(1.5)}))
    reseal(directory)

    assert "golden" in refusal(models_copy)


@pytest.mark.parametrize("name", ["../../etc", "..", "a/b", ""])
def test_a_version_is_a_plain_name(models_copy, name):
    (models_copy / "risk" / "CURRENT").write_text(name or "\n")

    assert "version" in refusal(models_copy)


def test_no_published_version_is_refused(tmp_path):
    assert "no published version" in refusal(tmp_path)


def test_damaged_code_tables_are_refused(models_copy):
    path = models_copy / "codes" / "1.0.0" / "tables.json"
    path.write_bytes(path.read_bytes().replace(b"E11", b"E12", 1))

    assert "SHA-256" in refusal(models_copy, "codes")


def test_code_tables_with_unknown_groups_are_refused(models_copy):
    directory = models_copy / "codes" / "1.0.0"
    tables = json.loads((directory / "tables.json").read_text())
    tables["complaint_words"]["no-such-group"] = ["x"]
    (directory / "tables.json").write_text(json.dumps(tables))
    reseal(directory)

    assert "no-such-group" in refusal(models_copy, "codes")
