"""What each version of the risk model was fitted on, as its `reference.json` tells: edges and counts of every input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import msgspec

from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import open_artifact
from cds_service.monitoring.drift import Reference

FILE = "reference.json"

OfInputs = Mapping[str, Reference]


class References:
    """The references of the published versions, each read once; of a version that is gone there is none."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._lock = Lock()
        self._known: dict[str, OfInputs] = {}

    def of(self, version: str) -> OfInputs:
        """The inputs of this version of the risk model, and its probabilities as `probability.TIER`."""
        with self._lock:
            if version not in self._known:
                self._known[version] = self._read(version)
            return self._known[version]

    def _read(self, version: str) -> OfInputs:
        try:
            artifact = open_artifact(self._models_dir, "risk", version, only={FILE})
        except ConfigurationError:
            return {}
        found = msgspec.json.decode(artifact.files[FILE], type=dict[str, Reference]) if FILE in artifact.files else {}
        return {name: one for name, one in found.items() if one.edges}
