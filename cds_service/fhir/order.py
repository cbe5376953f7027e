"""Which of two Observations of one moment is the later statement."""

from __future__ import annotations

from cds_service.fhir.meta import version_of
from cds_service.fhir.shapes import Resource
from cds_service.fhir.times import moment_from_datetime


def _issued(resource: Resource) -> float | None:
    moment = moment_from_datetime(resource.issued or "")
    return None if moment is None else moment[0].timestamp()


# When it was made available, else the number of its version.
ORDERS = (_issued, version_of)
