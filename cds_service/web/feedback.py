"""CDS Hooks feedback: what became of cards, from its body to committed rows."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service import logs
from cds_service.cdshooks.catalogue import SERVICES
from cds_service.cdshooks.feedback import read_feedback
from cds_service.cdshooks.override_reasons import reason_name
from cds_service.domain.actor import counted_as
from cds_service.errors import NotFound
from cds_service.monitoring import metrics
from cds_service.services.record_feedback import record_feedback
from cds_service.web.access import authenticate
from cds_service.web.answering import received
from cds_service.web.context import json_response, read_json, runtime

feedback = Blueprint("feedback", __name__)
log = logs.get_logger(__name__)


@feedback.post("/cds-services/<service_id>/feedback")
def take_feedback(service_id: str) -> Response:
    """How many reports are stored, after the commit: all of them or none. A repeat gets the same answer."""
    process = runtime()
    actor = authenticate(process)
    if service_id not in SERVICES:
        raise NotFound("no such service: see GET /cds-services")
    reports = read_feedback(read_json().document, now=process.now())
    new = record_feedback(reports, service_id, received(actor), writer=process.writer)
    environment = counted_as(actor.tenant, actor.environment)
    for report in new:
        metrics.count_feedback(environment, service_id, report.outcome, reason_name(report.reason))
    log.info("feedback_stored", service=service_id, count=len(new))
    return json_response({"received": len(reports)})
