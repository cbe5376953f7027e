"""A failure as FHIR OperationOutcome: what was wrong, where, and nothing of the patient."""

from __future__ import annotations

from typing import Any

from cds_service.domain.text import bounded
from cds_service.errors import CdsError

# 5xx says the fault is ours and may pass; everything else is the sender's to mend (R4 IssueSeverity).
_SERVER_FAULT = 500

# More issues than this help nobody; chosen by us.
MAX_ISSUES = 50


def operation_outcome(error: CdsError) -> dict[str, Any]:
    """The OperationOutcome of a failure: one issue for what was wrong first, one for each further detail."""
    severity = "fatal" if error.status >= _SERVER_FAULT else "error"
    issues = [_issue(severity, error.issue, error.text, error.where)]
    issues += [_issue("error", "structure", text, where) for where, text in error.details]
    return {"resourceType": "OperationOutcome", "issue": issues[:MAX_ISSUES]}


def information(text: str) -> dict[str, Any]:
    """An OperationOutcome that reports no failure."""
    return {"resourceType": "OperationOutcome", "issue": [_issue("information", "informational", text, "")]}


def _issue(severity: str, code: str, text: str, where: str) -> dict[str, Any]:
    issue: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": _line(text) or "no further details"}
    if place := _line(where):
        issue["expression"] = [place]
    return issue


def _line(text: str) -> str:
    """A string as R4 defines it, which leaves out most kinds of blanks: a place may be named as somebody sent it."""
    return bounded(text, len(text)).strip()
