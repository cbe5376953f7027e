"""Receives HL7 v2 messages over MLLP with a service's own runtime; meant to be killed."""

from __future__ import annotations

from cds_service.mllp.receiving import serve_alone
from cds_service.settings import Settings
from tests.chaos.forks import settings


def main(*variables: str) -> None:
    serve_alone(Settings.from_environment(settings(variables)))
