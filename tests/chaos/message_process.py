"""Receives HL7 v2 messages over MLLP with a service's own runtime; meant to be killed."""

from __future__ import annotations

import os

from cds_service.mllp.receiving import serve_alone
from cds_service.settings import Settings

if __name__ == "__main__":
    serve_alone(Settings.from_environment(os.environ))
