"""Receives HL7 v2 messages over MLLP with a service's own runtime, in a child that is meant to be killed.

Each line of standard input is the port of another child; its process id is printed. Children are forked, so that the
half second it takes to import the service is spent once.
"""

from __future__ import annotations

import os
import sys

from cds_service.mllp.receiving import serve_alone
from cds_service.settings import Settings


def serve(port: str) -> None:
    serve_alone(Settings.from_environment({**os.environ, "CDS_MLLP_BIND": f"127.0.0.1:{port}"}))


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if not child:
            serve(line.strip())
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
