"""Every migration up, compared with the tables, down and up again: `python -m migrations.check`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from cds_service.storage import schema


def check(url: str) -> list[str]:
    """What is wrong with the migrations on this empty database; empty when nothing is."""
    problems = []
    for direction in ("first", "again"):
        schema.migrate(url)
        problems += [f"{direction}: {difference}" for difference in schema.compare(url)]
        schema.downgrade(url, "base")
    return problems


def main() -> int:
    """Check on a fresh SQLite file, and on the databases named as arguments, which must be empty."""
    with tempfile.TemporaryDirectory() as directory:
        urls = [f"sqlite:///{Path(directory) / 'check.db'}", *sys.argv[1:]]
        problems = [problem for url in urls for problem in check(url)]
    print("\n".join(problems) or f"migrations: up, compare, down on {len(urls)} database(s): ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
