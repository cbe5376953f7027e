"""The model in service with its calibration fitted anew: the same trees, the same explanations."""

from __future__ import annotations

from cds_service.inference.artifact import Artifact
from cds_service.inference.tiers import load_tiers
from training.fit import calibration_from_margins
from training.publish import json_bytes
from training.split import Split

_OF_ANOTHER_RUN = ("evaluation.json", "card.md", "reference.json")


def recalibrated_files(artifact: Artifact, split: Split) -> dict[str, bytes]:
    """The champion's files, with slope and intercept of each tier from the new calibration rows."""
    rows = split.calibration
    calibration = {
        name: calibration_from_margins(tier.margins(rows.X), rows) for name, tier in load_tiers(artifact).items()
    }
    kept = {name: content for name, content in artifact.files.items() if name not in _OF_ANOTHER_RUN}
    return kept | {"calibration.json": json_bytes(calibration)}
