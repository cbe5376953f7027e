"""`cds demo`: a rehearsal of a whole hospital on this machine, with nothing of it real."""

from __future__ import annotations

import argparse
import signal
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from cds_service.access import ACCESS
from cds_service.cli.command import Command, argument, say
from cds_service.cli.progress import progress
from cds_service.demo.hospital import PEOPLE, Hospital, hospital
from cds_service.demo.rehearsal import Play, rehearse
from cds_service.demo.visits import Visit
from cds_service.errors import BadRequest
from cds_service.services.train import HOME

# What is promised of two idle cores, where it takes about half of it; a slow or busy machine is told so.
WITHIN_S = 120
_PLAY = Play()
_PAGES = ("triage", "review", "dashboard", "models")


def demo(arguments: argparse.Namespace) -> int:
    """Rehearse a hospital on this machine: visits, monitors, clinicians, a drift, a retrained model, all invented."""
    for name, least, most in (
        ("visits", 40, 100_000),
        ("delay", 0, 100_000),
        ("minutes", 0, 24 * 60),
        ("within", 1, 86_400),
    ):
        if not least <= getattr(arguments, name) <= most:
            raise BadRequest(f"give a number from {least} to {most}", where=f"--{name}")
    for name in ("error", "bias"):
        if not 0 <= getattr(arguments, name) <= 1:
            raise BadRequest("give a share from 0 to 1", where=f"--{name}")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us ends the service we started
    try:
        return _rehearsed(arguments)
    except KeyboardInterrupt:
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _rehearsed(arguments: argparse.Namespace) -> int:
    tell = partial(_tell, arguments)
    directory = Path(arguments.directory or tempfile.mkdtemp(prefix="cds-demo-")).resolve()
    if (directory / "cds.db").exists():
        raise BadRequest("holds a database already: name a new directory", where="--directory")
    tell(f"An invented hospital in {directory}: nothing here is about anybody, and nothing is counted as real.")
    ports = {"http_port": arguments.port, "mllp_port": arguments.mllp_port}
    with hospital(directory, **ports, models=HOME / "models", within_s=arguments.within) as made:
        _introduce(made, tell)
        ward = replace(_PLAY.ward, mistaken=arguments.error, swayed=arguments.bias)
        play = Play(arguments.visits, arguments.seed, arguments.delay, ward)
        came = rehearse(made, play, _shown, tell)
        seconds = round(made.bound.spent_s)
        told = (
            f"Done in {seconds} s: {came.predictions} predictions, {came.cards} cards, "
            f"{came.messages} HL7 v2 messages, {came.labels} labels."
        )
        where = {"directory": str(directory), "address": made.address, "password": made.password}
        say(arguments, {"ok": True, **where, "seconds": seconds, **asdict(came)}, told)
        _stay(made, arguments, tell)
    return 0


def _introduce(made: Hospital, tell: partial[None]) -> None:
    tell(f"It runs at {made.address} (HL7 v2 over MLLP: port {made.mllp_port}). Look on:")
    for page in _PAGES:
        if (row := ACCESS.get(f"console.{page}")) is not None:
            tell(f"  {made.address}/{page} ({', '.join(sorted(row.roles | {'admin'}))})")
    who = ", ".join(f"{name} ({role})" for name, role in PEOPLE.items())
    tell(f"Sign in as {who}; the password of each, shown once: {made.password}")


def _stay(made: Hospital, arguments: argparse.Namespace, tell: partial[None]) -> None:
    """Leave the service running for whoever wants to look, for so many minutes or until Ctrl-C."""
    if not arguments.keep and not arguments.minutes:
        tell(f"The service has ended; its files are in {made.directory}. With --keep it stays for looking.")
        return
    tell(f"{made.address} stays " + (f"for {arguments.minutes} minutes." if arguments.minutes else "until Ctrl-C."))
    with suppress(KeyboardInterrupt):
        time.sleep(arguments.minutes * 60 or 24 * 3600)


def _shown(found: Iterable[Visit], total: int) -> Iterable[Visit]:
    return progress(found, total)


def _tell(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.json:
        print(text, flush=True)


COMMANDS = (
    Command(
        ("demo",),
        demo,
        (
            argument("--visits", type=int, default=_PLAY.visits, metavar="N", help="how many visits (%(default)s)"),
            argument(
                "--seed",
                type=int,
                default=_PLAY.seed,
                metavar="N",
                help="the same seed gives the same hospital (%(default)s)",
            ),
            argument(
                "--delay",
                type=int,
                default=_PLAY.delay,
                metavar="N",
                help="clinicians speak N visits later (%(default)s)",
            ),
            argument(
                "--within",
                type=float,
                default=WITHIN_S,
                metavar="SECONDS",
                help="end with an error when the rehearsal takes longer (%(default)s)",
            ),
            argument(
                "--error", type=float, default=0.02, metavar="P", help="share of their labels that are wrong (0.02)"
            ),
            argument(
                "--bias", type=float, default=0.05, metavar="P", help="share swayed by a high risk they saw (0.05)"
            ),
            argument("--directory", metavar="DIR", help="where its files are; a new directory unless given"),
            argument("--port", type=int, default=0, metavar="N", help="HTTP on this port of loopback; a free one"),
            argument("--mllp-port", type=int, default=0, metavar="N", help="MLLP on this port of loopback; a free one"),
            argument("--minutes", type=float, default=0, metavar="N", help="leave it running so long for looking"),
            argument("--keep", action="store_true", help="leave it running until Ctrl-C"),
        ),
        is_alone=True,
    ),
)
