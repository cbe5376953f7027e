"""The plain REST addresses for rare diseases: rank a list of findings, find the id of a finding by its name."""

from __future__ import annotations

from flask import Blueprint, Response, request

from cds_service.errors import BadRequest
from cds_service.records.findings import findings_from_record
from cds_service.services.log_prediction import Asked
from cds_service.web.access import authenticate
from cds_service.web.answering import committed, mode_of
from cds_service.web.context import json_response, language, read_record, retry_key, runtime
from cds_service.web.ranking import rank_from
from cds_service.web.rare_documents import rare_document

rare = Blueprint("rare", __name__, url_prefix="/rare-diseases")

_LONGEST_TEXT, _MOST_HITS = 200, 50


@rare.route("", methods=["GET", "POST"])
def rank_findings() -> Response:
    """Rare diseases for observed and excluded findings, from the query or a JSON object; stored before it is sent."""
    process = runtime()
    actor = authenticate(process)
    known = process.beside.rare.get()
    record, request_hash = read_record()
    wanted = findings_from_record(record, at=process.now(), codes=known.codes, named=known.words.term)
    asked = Asked(
        actor=actor,
        service="rare-diseases",
        language=language(actor),
        request_hash=request_hash,
        hook_instance=retry_key(),
        mode=mode_of(actor),
    )
    assessment = rank_from(wanted.snapshot, wanted.heard, wanted.limit, actor=actor)
    return committed(assessment, asked, rare_document(assessment))


@rare.get("/findings")
def search_findings() -> Response:
    """Findings whose name or synonym begins so, slips of the finger forgiven: what a form needs while people type."""
    known = runtime().beside.rare.get()
    text = request.args.get("q", "")
    if len(text) > _LONGEST_TEXT:
        raise BadRequest(f"must be at most {_LONGEST_TEXT} characters", where="q")
    limit = request.args.get("limit", "10")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 4 and 1 <= int(limit) <= _MOST_HITS):
        raise BadRequest(f"must be a whole number from 1 to {_MOST_HITS}", where="limit")
    hits = [hit._asdict() for hit in known.words.search(text, int(limit))]
    return json_response({"findings": hits, "release": known.ranker.knowledge.release})
