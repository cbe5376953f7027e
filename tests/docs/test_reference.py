"""The reference pages say what the code says."""

import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

from prometheus_client.metrics import MetricWrapperBase

import cds_service.cdshooks.envelope  # noqa: F401 - defines an error of its own
from cds_service.errors import CdsError
from cds_service.hl7.framing import Fault
from cds_service.mllp.connection import End
from cds_service.mllp.gate import Refusal as Refused
from cds_service.monitoring import messages as message_metrics
from cds_service.monitoring import metrics
from cds_service.monitoring import mllp as mllp_metrics
from cds_service.monitoring import models as model_metrics
from cds_service.settings import Settings, Site
from cds_service.settings.peers import PEER_KEYS, MllpLimits
from cds_service.settings.secret import PREVIOUS_SETTING, SECRET_SETTING
from cds_service.settings.variables import VARIABLES
from cds_service.web.problems import REFUSALS, Refusal

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def rows(page: str) -> list[list[str]]:
    lines = (REFERENCE / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]


def test_settings_page_lists_every_setting_with_default_and_values() -> None:
    listed = {row[0].strip("` "): row for row in rows("settings.md") if row[0].startswith("`CDS_")}

    assert set(listed) == {variable.name for variable in VARIABLES} | {SECRET_SETTING, PREVIOUS_SETTING}
    for variable in VARIABLES:
        assert listed[variable.name][2] == variable.taken
        if variable.default:
            assert listed[variable.name][1] == f"`{variable.default}`"
    assert {variable.field for variable in VARIABLES} < {field.name for field in fields(Settings)}


def test_settings_page_lists_every_key_of_the_site_file_with_its_default() -> None:
    document = Site().as_document()
    keys = {name for name in document if not isinstance(document[name], dict)}
    keys |= {
        f"{table}.{name}" for table in ("reading", "assessment", "feedback", "hl7", "feeds") for name in document[table]
    }
    listed = {row[0].strip("` "): row[1] for row in rows("settings.md") if not row[0].startswith("`CDS_")}

    clients = {name for name in listed if name.startswith(("client.", "mllp."))}
    assert keys == set(listed) - clients - {"key", "---", "variable"}
    for table in ("assessment", "feedback"):
        for name, default in document[table].items():
            assert listed[f"{table}.{name}"] == str(default)


def test_settings_page_lists_every_key_of_an_mllp_sender_and_every_limit_with_its_default() -> None:
    listed = {row[0].strip("` "): row[1] for row in rows("settings.md") if row[0].startswith("`mllp.")}

    limits = {f"mllp.limits.{field.name}": f"{field.default:g}" for field in fields(MllpLimits)}
    limits["mllp.limits.message_bytes"] = str(MllpLimits().message_bytes)
    assert {name: default for name, default in listed.items() if name.startswith("mllp.limits.")} == limits
    assert set(listed) - set(limits) == {f"mllp.peer.NAME.{name}" for name in PEER_KEYS}


def test_mllp_page_lists_every_fault_refusal_and_end() -> None:
    listed = {name for row in rows("mllp.md") for name in re.findall(r"`(\w+)`", row[0])}

    assert listed == {*Fault, *Refused, *End}


def test_errors_page_lists_every_error_with_status_and_issue() -> None:
    listed = {row[0].strip("` "): (row[1], row[2].strip("`")) for row in rows("errors.md") if row[0].startswith("`")}

    known = [error for error in _descendants(CdsError) if error is not Refusal]
    known = [error for error in known if error.__module__.startswith("cds_service.")]
    assert set(listed) == {error.__name__ for error in known}
    for error in known:
        if error.__name__ != "ConfigurationError":
            assert listed[error.__name__] == (str(error.status), error.issue)


def test_errors_page_lists_every_refusal() -> None:
    listed = {int(row[0]): (row[1].strip("`"), row[2]) for row in rows("errors.md") if row[0].isdigit()}

    assert listed == REFUSALS


def test_metrics_page_lists_every_metric_with_its_labels() -> None:
    metrics.observe_writer(lambda: SimpleNamespace(waiting=lambda: 0, restarts=0))
    exported = {
        family.name: family.type for family in metrics.REGISTRY.collect() if not family.name.startswith("process_")
    }
    listed = {row[0].strip("` "): row for row in rows("metrics.md") if row[0].startswith("`")}

    assert {name: row[1] for name, row in listed.items()} == exported
    found = [
        *vars(metrics).values(),
        *vars(mllp_metrics).values(),
        *vars(message_metrics).values(),
        *vars(model_metrics).values(),
    ]
    for counter in (value for value in found if isinstance(value, MetricWrapperBase)):
        assert tuple(re.findall(r"`(\w+)`", listed[counter._name][2])) == counter._labelnames


def _descendants(error: type[CdsError]) -> list[type[CdsError]]:
    return [found for child in error.__subclasses__() for found in (child, *_descendants(child))]
