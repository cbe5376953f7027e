"""Submits entries from many threads and prints each key once it is acknowledged; meant to be killed."""

from __future__ import annotations

import os
from threading import Thread

from cds_service.storage.identity import Keyring
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter
from tests.databases import SECRET
from tests.storage.builders import an_entry

PATIENCE_S = 30.0  # nothing here is about time: a database that is slow because the machine is busy is waited for


def submit_forever(writer: GroupWriter, prefix: str) -> None:
    number = 0
    while True:
        key = f"{prefix}-{number}"
        reply = writer.submit(an_entry(hook_instance=key, reply=key.encode()))
        os.write(1, f"{key} {reply.id}\n".encode())
        number += 1


def main(url: str, run: str) -> None:
    writer = GroupWriter(open_engine(url), Keyring(SECRET), deadline_s=PATIENCE_S)
    threads = [Thread(target=submit_forever, args=(writer, f"{run}-{line}")) for line in range(8)]
    for thread in threads:
        thread.start()
