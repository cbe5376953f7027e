"""What the service does for a tenant: assess and show, assess and show nothing, or nothing at all."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """`live` shows cards; `silent` stores and shows nothing; `suspended` refuses to assess."""

    LIVE = "live"
    SILENT = "silent"
    SUSPENDED = "suspended"
