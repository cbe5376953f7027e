"""Reads `params.toml`, or another file of the same form."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from cds_service.errors import ConfigurationError

PARAMS = Path(__file__).with_name("params.toml")


def read_params(path: Path = PARAMS) -> dict[str, Any]:
    """The parameters of a file; ConfigurationError when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ConfigurationError("is no file of parameters", where=str(path)) from problem
