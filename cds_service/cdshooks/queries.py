"""What a call left out of its prefetch, as the queries that would bring it."""

from __future__ import annotations

import re

from cds_service.cdshooks.catalogue import Service
from cds_service.cdshooks.envelope import Envelope
from cds_service.cdshooks.prefetch import Prefetch, PrefetchState

_TOKEN = re.compile(r"\{\{context\.(\w+)\}\}")


def absent_queries(service: Service, call: Envelope, prefetch: Prefetch) -> dict[str, str]:
    """The query of each key the client did not answer at all, relative to its FHIR server.

    A key the client answered with null, nothing or its own failure is answered: the query is not repeated. One
    whose template names what the context does not hold cannot be asked.
    """
    context = {"patientId": call.patient_id, "encounterId": call.encounter_id}
    queries: dict[str, str] = {}
    for key, template in service.prefetch[call.hook].items():
        names = _TOKEN.findall(template)
        if prefetch.states[key] is PrefetchState.ABSENT and all(_is_segment(context.get(name)) for name in names):
            queries[key] = _TOKEN.sub(lambda found: str(context[found[1]]), template)
    return queries


def _is_segment(value: str | None) -> bool:
    """Whether a FHIR id (checked by the envelope) can stand in a path: `.` and `..` are ids, and ways elsewhere."""
    return value is not None and value.strip(".") != ""
