"""Commands beside a service that runs, or will: check, rollup."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from cds_service.cli.command import Command, command_writer, say
from cds_service.errors import CdsError
from cds_service.inference.codes import load_code_tables
from cds_service.inference.ranker_service import load_rare_diseases
from cds_service.services.check_database import check_database
from cds_service.services.models import load_models_in_force
from cds_service.services.references import References
from cds_service.services.roll_up import Roller
from cds_service.settings import Settings
from cds_service.storage.schema import open_current
from cds_service.storage.sessions import open_engine


def check(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say of settings, artifacts and database whether the service could start."""
    findings = {
        "models": _problem(lambda: load_models_in_force(settings.models_dir, open_engine(settings.database_url))),
        "code tables": _problem(lambda: load_code_tables(settings.models_dir)),
        "rare diseases": _problem(lambda: load_rare_diseases(settings.models_dir)),
        "database": _problem(lambda: check_database(settings)),
    }
    ok = not any(findings.values())
    lines = [f"{part}: {problem or 'ok'}" for part, problem in findings.items()]
    say(arguments, {"ok": ok, "problems": {k: v for k, v in findings.items() if v}}, "\n".join(lines))
    return 0 if ok else 1


def rollup(arguments: argparse.Namespace, settings: Settings) -> int:
    """Count the days that are new or changed for the dashboard; 1 while a service counts them."""
    with command_writer(settings) as writer:
        roller = Roller(open_current(settings.database_url), writer.submit_change, References(settings.models_dir))
        counted = roller.roll_up()
        roller.engine.dispose()
    said = ", ".join(f"{part} of {days} days" for part, days in counted.items()) or "nothing new"
    say(arguments, {"ok": not roller.is_held_up, "counted": dict(counted)}, f"counted: {said}")
    return 1 if roller.is_held_up else 0


def _problem(check: Callable[[], object]) -> str:
    try:
        check()
    except CdsError as error:
        return str(error)
    return ""


COMMANDS = (
    Command(("check",), check),
    Command(("rollup",), rollup),
)
