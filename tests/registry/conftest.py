"""A service over models of its own that versions are published beside, and people who may decide about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import Clock, Done, Service, cds_in, started
from tests.published import models_dir

PASSWORD = "correct horse battery"
REASON = ("--reason", "validated on our own visits")
ADA = ("--user", "ada")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return models_dir(tmp_path)


@pytest.fixture
def ward(
    tmp_path: Path, models: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    with started(tmp_path, empty_database, predictor, tables, CDS_MODELS_DIR=str(models)) as service:
        for name, role in (("ada", "steward"), ("tara", "admin"), ("carl", "clinician")):
            done = cds_in(service, "users", "add", name, "--tenant", "north", "--role", role, typed=PASSWORD)
            assert done.returncode == 0
        yield service


def promote(service: Service, version: str, *more: str, typed: str = PASSWORD) -> Done:
    """`cds promote risk` by Ada, and the process sees it as it would within half a second."""
    done = cds_in(service, "promote", "risk", version, *ADA, *REASON, *more, typed=typed)
    service.runtime.models.refresh()
    return done


def rollback(service: Service, *more: str) -> Done:
    """`cds rollback risk` by Ada."""
    done = cds_in(service, "rollback", "risk", *ADA, *REASON, *more, typed=PASSWORD)
    service.runtime.models.refresh()
    return done


def answering(service: Service) -> str:
    """The version that the next prediction names."""
    answered = service.client.get("/predict?age=71&sex=male&heart_rate=128&encounter_class=EMER").get_json()
    version: str = answered["model"]["version"]
    return version
