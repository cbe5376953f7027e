"""Reports on cards or labels predictions from many threads and prints each once acknowledged; meant to be killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b
from threading import Thread
from uuid import UUID

from cds_service.cdshooks.feedback import Report
from cds_service.cdshooks.override_reasons import OWN_REASONS
from cds_service.domain.actor import Actor
from cds_service.domain.label import Kind
from cds_service.domain.policy import FeedbackPolicy
from cds_service.services.received import Received
from cds_service.services.record_feedback import record_feedback
from cds_service.services.record_label import LabelRequest, record_label
from cds_service.storage.identity import Keyring
from cds_service.storage.prediction_log import first_id_at
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter
from tests.databases import SECRET
from tests.storage.builders import NOW, an_entry

THREADS = 6
PATIENCE_S = 30.0  # nothing here is about time: a database that is slow because the machine is busy is waited for
REPEATED = 3  # of what each thread of the run before did first, done again

CONCLUDED = b'{"news2":null,"news2_omitted":"x","risk":null,"risk_omitted":"x","states":[],"would_help":[]}'
ACTOR = Actor(name="ehr-1", kind="client", role="client", tenant="north", environment="production")
RECEIVED = Received(ACTOR, NOW, FeedbackPolicy(), Keyring(SECRET))

Work = Callable[[GroupWriter, str, UUID], None]


def card_of(key: str) -> UUID:
    """The card of this piece of work, the same whenever it is done: of the day of the others (RFC 9562, 5.7)."""
    tail = int.from_bytes(blake2b(key.encode(), digest_size=8).digest())
    return UUID(int=first_id_at(NOW).int | 0x7 << 76 | 0b10 << 62 | tail >> 2)


def report(writer: GroupWriter, key: str, card: UUID) -> None:
    """Two reports in one call, the later one with a diagnosis."""
    reports = [
        Report(card, "overridden", NOW.replace(minute=5), (), None, key),
        Report(card, "overridden", NOW.replace(minute=6), (), (OWN_REASONS, "acute"), ""),
    ]
    record_feedback(reports, "vitals-risk", RECEIVED, writer=writer)


def label(writer: GroupWriter, key: str, card: UUID) -> None:
    """A label, and its correction."""
    request = LabelRequest(kind=Kind.LABEL, author=f"Practitioner/{card}", category="mild", comment=key)
    first, _ = record_label(card, request, RECEIVED, writer=writer)
    correction = LabelRequest(kind=Kind.LABEL, author=request.author, category="acute", refers_to=first.id)
    record_label(card, correction, RECEIVED, writer=writer)


WORK: dict[str, Work] = {"feedback": report, "labels": label}


def do(writer: GroupWriter, work: Work, key: str) -> None:
    """One piece of work with its prediction, acknowledged on standard output."""
    card = card_of(key)
    writer.submit(an_entry(id=card, hook_instance=key, outcome=CONCLUDED))
    work(writer, key, card)
    os.write(1, f"{key} {card.hex}\n".encode())


def work_forever(writer: GroupWriter, work: Work, run: int, line: int) -> None:
    for number in range(REPEATED if run else 0):
        do(writer, work, f"{run - 1}-{line}-{number}")
    number = 0
    while True:
        do(writer, work, f"{run}-{line}-{number}")
        number += 1


def main(url: str, mode: str, run: str) -> None:
    writer = GroupWriter(open_engine(url), Keyring(SECRET), deadline_s=PATIENCE_S)
    for line in range(THREADS):
        Thread(target=work_forever, args=(writer, WORK[mode], int(run), line)).start()
