"""The body of a feedback call (CDS Hooks 2.0.1, Feedback): several reports on cards, read whole or refused whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate, validates_schema

from cds_service.cdshooks.envelope import UUID_TEXT, InvalidEnvelope
from cds_service.cdshooks.schemas import places
from cds_service.domain.feedback import ACCEPTED, AHEAD_TOLERANCE, OUTCOMES

# Chosen by us: a ward's day of cards in one call; one transaction stores them all.
MAX_REPORTS = 200
MAX_COMMENT = 4000

# RFC 3339 with its zone; a leap second is read as the one before.
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
# FHIR R4 datatypes code and uri: no white space where there must be none.
_CODE = re.compile(r"[^\s]+( [^\s]+)*\Z")
_URI = re.compile(r"\S+\Z")


@dataclass(frozen=True, slots=True)
class Report:
    """One item of a feedback call."""

    card: UUID
    outcome: str
    outcome_timestamp: datetime
    suggestions: tuple[str, ...]
    reason: tuple[str, str] | None
    comment: str

    def __repr__(self) -> str:
        """Without the comment, which may name a patient."""
        return f"Report(card={self.card})"


def read_feedback(document: object, *, now: datetime) -> tuple[Report, ...]:
    """The reports of a call; InvalidEnvelope with the place of each item that is wrong, and then none is taken."""
    if not isinstance(document, Mapping):
        raise InvalidEnvelope((("", "The body must be a JSON object."),))
    issues = sorted(places(FeedbackSchema().validate(dict(document))))
    if issues:
        raise InvalidEnvelope(tuple(issues))
    reports = tuple(_report(item) for item in document["feedback"])
    ahead = [number for number, report in enumerate(reports) if report.outcome_timestamp > now + AHEAD_TOLERANCE]
    if ahead:
        raise InvalidEnvelope(
            tuple((f"feedback[{number}].outcomeTimestamp", "Must not be in the future.") for number in ahead)
        )
    return reports


def moment(text: str) -> datetime:
    """The UTC moment of an RFC 3339 text; ValueError for any other text."""
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("not an RFC 3339 date and time")
    try:
        return datetime.fromisoformat(text.upper().replace(":60", ":59", 1)).astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the years 1 to 9999") from None


def _report(item: Mapping[str, Any]) -> Report:
    override = item.get("overrideReason") or {}
    coding = override.get("reason")
    return Report(
        card=UUID(item["card"]),
        outcome=item["outcome"],
        outcome_timestamp=moment(item["outcomeTimestamp"]),
        suggestions=tuple(suggestion["id"] for suggestion in item.get("acceptedSuggestions") or ()),
        reason=None if coding is None else (coding["system"], coding["code"]),
        comment=override.get("userComment") or "",
    )


def check_moment(text: str) -> None:
    """A validator: marshmallow's ValidationError for anything but an RFC 3339 date and time."""
    try:
        moment(text)
    except ValueError:
        raise ValidationError("Must be an RFC 3339 date and time with its zone.") from None


class _Tolerant(Schema):
    class Meta:
        unknown = INCLUDE


class OverrideCodingSchema(_Tolerant):
    """The reason a clinician chose; `display` may be missing."""

    code = fields.String(required=True, validate=[validate.Length(1, 64), validate.Regexp(_CODE)])
    system = fields.String(required=True, validate=[validate.Length(1, 256), validate.Regexp(_URI)])
    display = fields.String(allow_none=True)


class OverrideReasonSchema(_Tolerant):
    """Why a card was overridden: a coded reason, a comment, or both."""

    reason = fields.Nested(OverrideCodingSchema, allow_none=True)
    userComment = fields.String(allow_none=True, validate=validate.Length(max=MAX_COMMENT))  # noqa: N815


class AcceptedSuggestionSchema(_Tolerant):
    """A suggestion that was accepted."""

    id = fields.String(required=True, validate=validate.Length(1, 64))


class ReportSchema(_Tolerant):
    """What became of one card."""

    card = fields.String(required=True, validate=validate.Regexp(UUID_TEXT, error="Must be the UUID of a card."))
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    outcomeTimestamp = fields.String(required=True, validate=check_moment)  # noqa: N815
    acceptedSuggestions = fields.List(fields.Nested(AcceptedSuggestionSchema), allow_none=True)  # noqa: N815
    overrideReason = fields.Nested(OverrideReasonSchema, allow_none=True)  # noqa: N815

    @validates_schema
    def _accepted_with_suggestions(self, data: Mapping[str, Any], **_: object) -> None:
        if data.get("outcome") == ACCEPTED and not data.get("acceptedSuggestions"):
            raise ValidationError("Required because the outcome is accepted.", "acceptedSuggestions")


class FeedbackSchema(_Tolerant):
    """Reports on any number of cards."""

    feedback = fields.List(fields.Nested(ReportSchema), required=True, validate=validate.Length(max=MAX_REPORTS))


class ReceivedSchema(Schema):
    """How many reports are stored; a repeat gets the same answer."""

    received = fields.Integer(required=True)
