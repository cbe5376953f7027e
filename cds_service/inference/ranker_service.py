"""Everything a door needs to rank rare diseases, loaded beside the first requests instead of before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread

from cds_service.domain.finding_codes import FindingCodes
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.inference.artifact import current_version
from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_bench import Case, read_cases
from cds_service.inference.ranker_knowledge import GOLDEN_FILE, TASK, load_knowledge
from cds_service.inference.ranker_words import Words

_WHERE = "rare diseases"


@dataclass(frozen=True, slots=True, eq=False)
class RareDiseases:
    """The knowledge base in service: what ranks, what codes stand for, and what people call findings.

    `golden` are the published cases whose ranks validated cases may not change much.
    """

    ranker: Ranker
    codes: FindingCodes
    words: Words
    golden: tuple[Case, ...]


def load_rare_diseases(models_dir: Path) -> RareDiseases:
    """The published knowledge base, verified; loaded once in a process."""
    return _loaded(models_dir.resolve(), current_version(models_dir, TASK))


@lru_cache(maxsize=1)
def _loaded(models_dir: Path, version: str) -> RareDiseases:
    knowledge = load_knowledge(models_dir, version)
    codes = FindingCodes(knowledge.ontology, knowledge.snomed, knowledge.umls)
    golden = read_cases(knowledge.card_path.parent / GOLDEN_FILE)
    return RareDiseases(Ranker(knowledge), codes, Words(knowledge), tuple(golden))


class RareDiseasesLater:
    """The knowledge base while it loads in a thread of its own: until it is there, who asks gets Unavailable."""

    def __init__(self, models_dir: Path, failed: Callable[[str], None]) -> None:
        self._models_dir = models_dir
        self._failed = failed
        self._done = Event()
        self._loaded: RareDiseases | None = None

    def start(self) -> None:
        """Load it; a knowledge base that cannot be used is told to `failed` and stays unavailable."""
        Thread(target=self._load, name="rare-diseases", daemon=True).start()

    def get(self) -> RareDiseases:
        """The knowledge base; Unavailable while it is loading, and for good when it could not be loaded."""
        if self._loaded is None:
            text = "the knowledge base could not be loaded" if self._done.is_set() else "the knowledge base is loading"
            raise Unavailable(text, where=_WHERE)
        return self._loaded

    def known(self) -> RareDiseases | None:
        """The knowledge base, None while it is not there: for what goes without it."""
        return self._loaded

    def wait(self, timeout_s: float) -> bool:
        """Whether loading ended, well or not, within the time."""
        return self._done.wait(timeout_s)

    def _load(self) -> None:
        try:
            self._loaded = load_rare_diseases(self._models_dir)
        except ConfigurationError as problem:
            self._failed(str(problem))
        finally:
            self._done.set()
