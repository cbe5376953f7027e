"""Commands for the audit log: is it whole, and where does it end."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cds_service.cli.command import Command, argument, say
from cds_service.errors import ConfigurationError
from cds_service.settings import Settings
from cds_service.storage.audit_log import ChainEnd, read_end, verify_chain
from cds_service.storage.identity import Keyring
from cds_service.storage.sessions import open_engine

# Chosen by us: a command waits longer than a call, a batch of rows on a busy machine included.
PATIENCE_S = 30.0


def verify(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say whether the audit chain is whole, else the number of the first row that is not as it was written."""
    keyring = Keyring(settings.secret_key, settings.secret_key_previous)
    kept = None if arguments.head is None else _kept_end(Path(arguments.head))
    engine = open_engine(settings.database_url, busy_timeout_s=PATIENCE_S)
    end = read_end(engine)
    broken = verify_chain(engine, keyring, kept)
    engine.dispose()
    found: dict[str, object] = {"ok": broken is None, "rows": end.seq, "first_bad": broken}
    say(arguments, found, f"audit chain whole: {end.seq} rows" if broken is None else f"audit chain broken at {broken}")
    return 0 if broken is None else 1


def head(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print where the audit chain ends, as JSON to be kept elsewhere for `cds audit verify --head`."""
    engine = open_engine(settings.database_url, busy_timeout_s=PATIENCE_S)
    end = read_end(engine)
    engine.dispose()
    document: dict[str, object] = {"seq": end.seq, "hash": end.hash.hex()}
    say(arguments, document, json.dumps(document))
    return 0


def _kept_end(path: Path) -> ChainEnd:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return ChainEnd(int(document["seq"]), bytes.fromhex(document["hash"]))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError("is not what `cds audit head` printed", where=str(path)) from None


COMMANDS = (
    Command(
        ("audit", "verify"),
        verify,
        (
            argument(
                "--head", metavar="FILE", help="an end of the chain kept elsewhere, as `cds audit head` printed it"
            ),
        ),
    ),
    Command(("audit", "head"), head),
)
