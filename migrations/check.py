"""Every migration up, down and up again, the last compared with the tables: `python -m migrations.check`."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.postgres import NoPostgres, postgres
from cds_service.storage import schema


def check(url: str) -> list[str]:
    """What is wrong with the migrations on this empty database: each one up, down and up again, then all compared."""
    problems = []
    for revision, before in zip(schema.REVISIONS, ("base", *schema.REVISIONS), strict=False):
        schema.migrate(url, revision)
        schema.downgrade(url, before)
        schema.migrate(url, revision)
    problems += [f"up: {difference}" for difference in schema.compare(url)]
    schema.downgrade(url, "base")
    schema.migrate(url)
    problems += [f"up again: {difference}" for difference in schema.compare(url)]
    return problems


def main() -> int:
    """Check on a fresh SQLite file and on a PostgreSQL started for it; one that cannot be started is named."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {"SQLite": f"sqlite:///{directory / 'check.db'}"}
        try:
            server = stack.enter_context(postgres(fsync=False))
            urls["PostgreSQL"] = server.url(server.create())
        except NoPostgres as error:
            print(f"migrations: not checked on PostgreSQL: {error}", file=sys.stderr)
        problems = [f"{name}: {problem}" for name, url in urls.items() for problem in check(url)]
    print("\n".join(problems) or f"migrations: up, compare, down on {' and '.join(urls)}: ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
