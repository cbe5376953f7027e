"""What operators are given: the container, the compose file, the bill of materials, the page for downtime."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from cds_service.cli import _parser, commands
from cds_service.domain import early_warning as news2
from cds_service.settings.secret import PREVIOUS_SETTING, SECRET_SETTING
from cds_service.settings.variables import VARIABLES
from deploy import check_image
from deploy.sbom import bill_of_materials, locked_packages

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
DOWNTIME = (ROOT / "docs" / "howto" / "downtime.md").read_text(encoding="utf-8")


def test_88_the_image_runs_as_its_own_user_without_a_shell_and_says_whether_it_lives() -> None:
    instructions = re.findall(r"^(\w+) +(.*)$", DOCKERFILE.split("\nFROM ")[-1], re.MULTILINE)
    named = dict(instructions)

    assert named["USER"] == "cds"
    assert json.loads(named["CMD"]) == ["cds", "serve"]
    assert "/livez" in named["HEALTHCHECK"]
    assert "--require-hashes" in DOCKERFILE


def test_88_the_check_of_the_image_says_in_one_line_that_there_is_no_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert check_image.main() == 0
    assert capsys.readouterr().out == "no container engine answers to `docker` here: nothing was checked\n"


@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_88_a_claim_that_does_not_hold_ends_the_check_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], holds: bool, code: int
) -> None:
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(check_image.shutil, "which", lambda _: "/usr/bin/docker")
    monkeypatch.setattr(check_image, "_docker", lambda *_, **__: done)
    monkeypatch.setattr(check_image, "_claims", lambda _: [("one", True), ("another", holds)])

    assert check_image.main() == code
    assert capsys.readouterr().out.startswith("ok  one\n" + ("ok " if holds else "NOT"))


@pytest.mark.parametrize("name", ["service", "migrate", "proxy"])
def test_88_containers_have_a_read_only_root_and_no_capabilities(name: str) -> None:
    container = COMPOSE["services"][name]

    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not container.get("privileged")


def test_86_no_secret_is_in_the_compose_file_and_none_has_a_default() -> None:
    settings = COMPOSE["services"]["service"]["environment"]

    assert settings["CDS_SECRET_KEY"].startswith("${CDS_SECRET_KEY:?")
    assert COMPOSE["services"]["database"]["environment"]["POSTGRES_PASSWORD"].startswith("${CDS_DATABASE_PASSWORD:?")
    assert "ports" not in COMPOSE["services"]["database"]
    assert "ports" not in COMPOSE["services"]["service"]


def test_the_service_reaches_what_it_is_configured_to_and_the_database_reaches_nothing() -> None:
    """Without a way out no FHIR server could be read, and without its directory no client would be known."""
    service, database = COMPOSE["services"]["service"], COMPOSE["services"]["database"]
    inside = {name for name, network in COMPOSE["networks"].items() if network and network.get("internal")}

    assert set(database["networks"]) <= inside
    assert set(service["networks"]) - inside
    assert service["environment"]["CDS_CLIENTS_FILE"].startswith("/etc/cds/")
    assert [volume.rpartition(":/")[2] for volume in service["volumes"]] == ["etc/cds:ro"]


def test_every_setting_of_the_compose_file_is_one() -> None:
    known = {variable.name for variable in VARIABLES} | {SECRET_SETTING, PREVIOUS_SETTING}

    assert set(COMPOSE["services"]["service"]["environment"]) <= known


def test_10_the_proxy_takes_requests_whole_and_keeps_operations_inside() -> None:
    proxy = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")

    assert "proxy_request_buffering on;" in proxy
    assert "server service:8080 resolve;" in proxy
    assert re.findall(r"location = (\S+) \{ return 404; \}", proxy) == ["/metrics", "/readyz"]
    assert "$request_uri" not in proxy
    assert "$remote_addr " not in proxy


def test_87_the_bill_of_materials_lists_what_the_lock_locks() -> None:
    done = subprocess.run([sys.executable, "deploy/sbom.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, re.MULTILINE | re.IGNORECASE))

    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert {(one["name"], one["version"]) for one in document["components"]} == locked
    assert all(one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in document["components"])
    assert document["metadata"]["component"]["name"] == "cds-service"
    assert {one["name"] for one in document["components"]} >= {"flask", "sqlalchemy", "psycopg", "pyjwt"}


def test_the_same_lock_gives_the_same_bill() -> None:
    lock = "flask==3.1.3 \\\n    --hash=sha256:" + "a" * 64 + "\n"
    project = {"name": "x", "version": "1"}

    assert bill_of_materials(lock, project) == bill_of_materials(lock, project)
    with pytest.raises(ValueError, match="no hash for flask"):
        locked_packages("flask==3.1.3\n")


# Each row of the printed table against the bands the service scores with; temperature in tenths.
BANDS = {
    "breathing": (news2._RESPIRATION, 1),
    "SpO2 %": (news2._SPO2_SCALE_1, 1),
    "systolic": (news2._SYSTOLIC, 1),
    "pulse": (news2._PULSE, 1),
    "temperature": (news2._TEMPERATURE, 10),
}


@pytest.mark.parametrize("name", BANDS)
def test_the_page_for_downtime_scores_as_the_service_does(name: str) -> None:
    [row] = [line for line in DOWNTIME.splitlines() if line.startswith(f"| {name}")]
    cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
    printed = [(cell, points) for cell, points in zip(cells, (3, 2, 1, 0, 1, 2, 3), strict=True) if cell]
    (limits, points), scale = BANDS[name]

    assert tuple(found for _, found in printed) == points
    lowest = [round(float(re.findall(r"[\d.]+", cell)[0]) * scale) for cell, _ in printed[1:]]
    assert [first - 1 for first in lowest] == list(limits)
    for (cell, _), (following, _) in pairwise(printed[1:]):
        assert float(cell.split("–")[1]) < float(re.findall(r"[\d.]+", following)[0])


@pytest.mark.parametrize("sentence", ["No card is not low risk.", "Que no haya tarjeta no significa riesgo bajo."])
def test_the_page_for_downtime_says_what_matters_first_in_both_languages(sentence: str) -> None:
    assert f"**{sentence}**" in DOWNTIME


SCHEDULES = sorted((ROOT / "deploy" / "schedules").iterdir())


def retraining_commands() -> list[str]:
    """Every `cds retrain` of the schedules, as the shell gets it."""
    texts = [path.read_text(encoding="utf-8").replace("%%", "%").replace("%i", "state") for path in SCHEDULES]
    return [found.rstrip("'") for text in texts for found in re.findall(r"cds (retrain .*)", text)]


@pytest.mark.parametrize("command", retraining_commands())
def test_a_schedule_asks_for_what_the_command_takes_and_the_same_all_month(command: str) -> None:
    spoken = subprocess.run(["/bin/sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True)

    asked = _parser(commands("retrain")).parse_args(spoken.stdout.splitlines())

    assert (asked.task, asked.reason in ("monthly", "quarterly")) == ("state", True)
    assert datetime.fromisoformat(asked.as_of).day == 1
    assert asked.since is None or datetime.fromisoformat(asked.since) < datetime.fromisoformat(asked.as_of)
    assert asked.window == asked.as_of[:7]


def test_the_schedules_are_two_each_for_systemd_and_kubernetes() -> None:
    jobs = list(yaml.safe_load_all((ROOT / "deploy" / "schedules" / "cronjobs.yaml").read_text(encoding="utf-8")))

    assert len(retraining_commands()) == 4
    assert [job["metadata"]["name"] for job in jobs] == ["cds-retrain-monthly", "cds-retrain-quarterly"]
    assert all(job["spec"]["concurrencyPolicy"] == "Forbid" for job in jobs)
    assert {path.stem for path in SCHEDULES if path.suffix == ".timer"} == {
        path.stem for path in SCHEDULES if path.suffix == ".service"
    }
