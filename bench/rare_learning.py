"""What confirmed cases add when they come in by the real door: `python -m bench.rare_learning FILE`.

For each case a tenant of its own learns other patients with the same disease from other papers: each is ranked,
stored, labelled by one clinician and confirmed by a second, in SQLite, by the use cases the service runs. The case is
ranked after 0, 1, 5 and 20 of them; then all are taken back, and it must be ranked as at first. Protocol C: only cases
whose paper no annotation of their disease cites. Cases of fewer than three findings, for which the service shows no
list, are left out on both sides. Needs the development cases of the shared data.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import numpy as np

from bench.rare import ROOT, capped
from cds_service.domain.actor import Actor
from cds_service.domain.label import OMIM, Kind, Label
from cds_service.domain.patient import Identity, PatientSnapshot
from cds_service.domain.phenotype import FEWEST_FINDINGS, Heard, Ranking
from cds_service.domain.policy import FeedbackPolicy
from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_bench import (
    LISTED,
    Case,
    groups_of,
    interval,
    papers_by_disease,
    phenotype_of,
    read_cases,
)
from cds_service.inference.ranker_service import load_rare_diseases
from cds_service.services.confirm_label import ConfirmationRequest, confirm_label, withdraw_confirmation
from cds_service.services.log_prediction import Asked, entry_from_prediction
from cds_service.services.overlays import Overlays
from cds_service.services.rank_rare import rank_rare
from cds_service.services.received import Received
from cds_service.services.record_label import LabelRequest, record_label
from cds_service.storage.identity import Keyring
from cds_service.storage.prediction_log import new_prediction_id
from cds_service.storage.schema import migrate
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter

STEPS = (0, 1, 5, 20)
SECRET = "a secret of this bench, nobody else's"


class Learnt(NamedTuple):
    """A labelled case: the prediction it was, its label, and why its confirmation was held back."""

    prediction_id: UUID
    label_id: UUID
    quarantine: str | None = None


class Site:
    """One database with its writer, and the use cases behind the doors; a clock that moves on by itself."""

    def __init__(self, url: str, secret: str = SECRET) -> None:
        self.rare = load_rare_diseases(ROOT / "models")
        self.engine = open_engine(url)
        self.keyring = Keyring(secret)
        self.writer = GroupWriter(self.engine, self.keyring)
        self.overlays = Overlays(self.engine, self.keyring)
        self.now = datetime(2026, 3, 14, 8, tzinfo=UTC)

    def close(self) -> None:
        """Let go of the database."""
        self.writer.drain()
        self.engine.dispose()

    def ranked(self, tenant: str, case: Case) -> tuple[UUID, Ranking]:
        """The ranking of a case as the service makes and stores it."""
        found = phenotype_of(case, self.rare.ranker.knowledge.ontology)
        received = self.received(tenant, "first")
        assessment = rank_rare(
            PatientSnapshot(received.at, Identity(case.id), found.age_years, found.sex),
            Heard(found.findings),
            prediction_id=new_prediction_id(received.at),
            taught=self.overlays.taught(received.actor, case.id, self.rare),
            site_hash="bench",
            limit=LISTED,
        )
        asked = Asked(actor=received.actor, service="rare-diseases", language="en", request_hash=b"")
        self.writer.submit(entry_from_prediction(assessment, asked, reply=b"{}", shown=True))
        return assessment.id, assessment.ranking

    def labelled(self, tenant: str, case: Case) -> Learnt:
        """Rank the case and label it with its diagnosis."""
        prediction_id, _ = self.ranked(tenant, case)
        said = LabelRequest(kind=Kind.LABEL, author="first", diagnosis=(OMIM, case.diagnosis.removeprefix("OMIM:")))
        label, _ = record_label(prediction_id, said, self.received(tenant, "first"), writer=self.writer)
        return Learnt(prediction_id, label.id)

    def learn(self, tenant: str, case: Case) -> Learnt:
        """Rank the case, label it and have it confirmed."""
        labelled = self.labelled(tenant, case)
        return labelled._replace(quarantine=self.confirm(tenant, labelled).quarantine)

    def confirm(self, tenant: str, learnt: Learnt, name: str = "second") -> Label:
        """Have the label confirmed."""
        asked = ConfirmationRequest(learnt.prediction_id, learnt.label_id)
        received = self.received(tenant, name)
        return confirm_label(asked, received, writer=self.writer, engine=self.engine, rare=self.rare)[0]

    def unlearn(self, tenant: str, learnt: Learnt, name: str = "second") -> Label:
        """Have the confirmation taken back."""
        asked = ConfirmationRequest(learnt.prediction_id, learnt.label_id)
        return withdraw_confirmation(asked, self.received(tenant, name), writer=self.writer)[0]

    def received(self, tenant: str, name: str) -> Received:
        """A call of this clinician, a minute after the one before."""
        self.now += timedelta(minutes=1)
        actor = Actor(name=name, kind="user", role="clinician", tenant=tenant, environment="production")
        return Received(actor, self.now, FeedbackPolicy(), self.keyring)


@contextmanager
def a_site() -> Iterator[Site]:
    """A site with an empty database of its own."""
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{directory}/cds.db"
        migrate(url)
        site = Site(url)
        try:
            yield site
        finally:
            site.close()


class Course(NamedTuple):
    """One case: its rank after each step, 0 where not listed; cases held back; whether taking back restored it."""

    diagnosis: str
    ranks: tuple[int, ...]
    learnt: int
    held: int
    is_restored: bool


def course(site: Site, case: Case, others: Sequence[Case], steps: Sequence[int] = STEPS) -> Course:
    """The case ranked while its tenant learns the others one by one, and once all are taken back."""
    tenant = f"for {case.id}"[:64]
    learnt: list[Learnt] = []
    rankings: list[Ranking] = []
    for step in steps:
        learnt += [site.learn(tenant, other) for other in others[len(learnt) : step]]
        rankings.append(site.ranked(tenant, case)[1])
    for one in reversed(learnt):
        site.unlearn(tenant, one)
    return Course(
        diagnosis=case.diagnosis,
        ranks=tuple(_rank(site.rare.ranker, ranking, case) for ranking in rankings),
        learnt=len(learnt),
        held=sum(one.quarantine is not None for one in learnt),
        is_restored=site.ranked(tenant, case)[1].candidates == rankings[0].candidates,
    )


def _rank(ranker: Ranker, ranking: Ranking, case: Case) -> int:
    known = ranker.knowledge
    own = known.diseases[known.disease_rows[case.diagnosis]]
    return next((number for number, one in enumerate(ranking.candidates, 1) if one.id == own), 0)


def courses(site: Site, every: Sequence[Case], most: int | None = None) -> Iterator[Course]:
    """The course of each case that can have one, at most `most`."""
    ontology = site.rare.ranker.knowledge.ontology
    usable = [case for case in every if phenotype_of(case, ontology).n_findings >= FEWEST_FINDINGS]
    same: dict[str, list[Case]] = defaultdict(list)
    for case in usable:
        same[case.diagnosis].append(case)
    cited = papers_by_disease(site.rare.ranker.knowledge)
    rows = site.rare.ranker.knowledge.disease_rows
    chosen = []
    for case in capped(usable):
        others = [other for other in same[case.diagnosis] if not set(other.papers) & set(case.papers)]
        if others and not set(case.papers) & cited.get(rows[case.diagnosis], frozenset()):
            chosen.append((case, random.Random(case.id).sample(others, min(STEPS[-1], len(others)))))
    for case, others in chosen[:most]:
        yield course(site, case, others)


def table(found: Sequence[Course]) -> Iterator[str]:
    """Shares of cases found in the first 1, 3 and 10 after each step, percent with 95 % intervals by disease."""
    groups = groups_of([one.diagnosis for one in found])
    yield f"{'confirmed cases':16s} {'first':>18s} {'first 3':>18s} {'first 10':>18s}"
    for at, step in enumerate(STEPS):
        ranks = np.array([one.ranks[at] for one in found])
        shares = [interval(np.asarray((ranks > 0) & (ranks <= k), float), groups) for k in (1, 3, LISTED)]
        yield f"{step:<16d} " + " ".join(
            f"{100 * s['value']:.1f} ({100 * s['low']:.0f}-{100 * s['high']:.0f})".rjust(18) for s in shares
        )
    counts = Counter[str]()
    for one in found:
        counts.update(learnt=one.learnt, held=one.held, restored=one.is_restored)
    yield f"{len(found)} cases of {len(groups)} diseases; {counts['learnt']} confirmations, {counts['held']} held back"
    yield f"ranked as at first once all were taken back: {counts['restored']} of {len(found)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--most", type=int, help="so many cases only")
    options = parser.parse_args()
    with a_site() as site:
        print("\n".join(table(list(courses(site, read_cases(options.file), options.most)))))


if __name__ == "__main__":
    main()
