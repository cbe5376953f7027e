"""The body of a label: a state or a diagnosis and how it is known, or the withdrawal of an earlier one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from cds_service.cdshooks.envelope import UUID_TEXT, InvalidEnvelope
from cds_service.cdshooks.feedback import MAX_COMMENT, check_moment, moment
from cds_service.cdshooks.schemas import places
from cds_service.domain.actor import Actor
from cds_service.domain.feedback import AHEAD_TOLERANCE
from cds_service.domain.label import CATEGORIES, CODE_SHAPES, SAW_PREDICTION, Kind
from cds_service.services.record_label import LabelRequest

_CLINICIAN = re.compile(r"(?:Practitioner|PractitionerRole)/[A-Za-z0-9.\-]{1,64}\Z")
_FACTS = ("category", "diagnosis", "icu_admission")
_LABEL_MEMBERS = (*_FACTS, "observed_at", "saw_prediction", "supersedes")


def read_label(document: object, actor: Actor, *, now: datetime) -> LabelRequest:
    """What the body says, by whom; InvalidEnvelope with the place of everything that is wrong."""
    if not isinstance(document, Mapping):
        raise InvalidEnvelope((("", "The body must be a JSON object."),))
    issues = sorted(places(LabelBodySchema().validate(dict(document))))
    if not issues and actor.kind != "user" and "author" not in document:
        issues = [("author", "Name the clinician: the caller is a system.")]
    if not issues and "observed_at" in document and moment(document["observed_at"]) > now + AHEAD_TOLERANCE:
        issues = [("observed_at", "Must not be in the future.")]
    if issues:
        raise InvalidEnvelope(tuple(issues))
    return _request(document, author=actor.name if actor.kind == "user" else document["author"])


def read_release(document: object) -> str:
    """Why a label is released; InvalidEnvelope for anything else."""
    body = dict(document) if isinstance(document, Mapping) else {}
    issues = sorted(places(ReleaseSchema().validate(body)))
    if issues:
        raise InvalidEnvelope(tuple(issues))
    return str(body["reason"])


class Confirmation(NamedTuple):
    """What someone says of another's label: that they confirm it, or no longer do."""

    is_withdrawal: bool
    comment: str


def read_confirmation(document: object) -> Confirmation:
    """What the body says; InvalidEnvelope for anything else."""
    if not isinstance(document, Mapping):
        raise InvalidEnvelope((("", "The body must be a JSON object."),))
    issues = sorted(places(ConfirmationSchema().validate(dict(document))))
    if issues:
        raise InvalidEnvelope(tuple(issues))
    return Confirmation(document.get("withdraw", False), document.get("comment", ""))


def _request(document: Mapping[str, Any], *, author: str) -> LabelRequest:
    kind = Kind.WITHDRAWAL if "withdraws" in document else Kind.LABEL
    refers_to = document.get("withdraws") or document.get("supersedes")
    diagnosis = document.get("diagnosis")
    return LabelRequest(
        kind=kind,
        author=author,
        category=document.get("category"),
        diagnosis=None if diagnosis is None else (diagnosis["system"], diagnosis["code"]),
        icu_admission=bool(document["icu_admission"]) if "icu_admission" in document else None,
        observed_at=moment(document["observed_at"]) if "observed_at" in document else None,
        saw_prediction=document.get("saw_prediction", "unknown"),
        refers_to=None if refers_to is None else UUID(refers_to),
        comment=document.get("comment", ""),
    )


_is_uuid = validate.Regexp(UUID_TEXT, error="Must be the id of a label.")


class DiagnosisSchema(Schema):
    """A diagnosis in a system whose codes are understood."""

    system = fields.String(required=True, validate=validate.OneOf(list(CODE_SHAPES)))
    code = fields.String(required=True, validate=validate.Length(1, 64))

    @validates_schema
    def _has_the_shape_of_its_system(self, data: Mapping[str, Any], **_: object) -> None:
        if not CODE_SHAPES[data["system"]].fullmatch(data["code"]):
            raise ValidationError("Not a code of this system.", "code")


class LabelBodySchema(Schema):
    """A label of one prediction. `withdraws` stands alone, with `author` and `comment`."""

    category = fields.String(validate=validate.OneOf(CATEGORIES))
    diagnosis = fields.Nested(DiagnosisSchema)
    icu_admission = fields.Boolean(truthy={True}, falsy={False})
    observed_at = fields.String(validate=check_moment, metadata={"format": "date-time"})
    saw_prediction = fields.String(validate=validate.OneOf(SAW_PREDICTION))
    supersedes = fields.String(validate=_is_uuid)
    withdraws = fields.String(validate=_is_uuid)
    author = fields.String(
        validate=validate.Regexp(_CLINICIAN, error="Must be Practitioner/id or PractitionerRole/id.")
    )
    comment = fields.String(validate=validate.Length(max=MAX_COMMENT))

    @validates_schema
    def _says_one_thing(self, data: Mapping[str, Any], **_: object) -> None:
        if "withdraws" not in data and data.keys().isdisjoint(_FACTS):
            raise ValidationError(f"Give one or more of {', '.join(_FACTS)}, or withdraws.", "category")
        if "withdraws" in data and (extra := [name for name in _LABEL_MEMBERS if name in data]):
            raise ValidationError("Not together with withdraws.", extra[0])


class _StrictBoolean(fields.Boolean):
    """`true` or `false`, and no number that equals one of them."""

    def _deserialize(self, value: object, *arguments: Any, **options: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return super()._deserialize(value, *arguments, **options)


class ConfirmationSchema(Schema):
    """That the caller confirms a label; with `withdraw` that they no longer do."""

    withdraw = _StrictBoolean()
    comment = fields.String(validate=validate.Length(max=MAX_COMMENT))


class ReleaseSchema(Schema):
    """Why a steward lets a label count."""

    reason = fields.String(required=True, validate=validate.Length(1, MAX_COMMENT))


class LabelSchema(Schema):
    """One event of the ledger; members without a value are left out."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    source = fields.String(required=True)
    about = fields.String(required=True)
    author = fields.String()
    actor = fields.String(required=True)
    role = fields.String(required=True)
    category = fields.String()
    diagnosis = fields.Dict()
    icu_admission = fields.Boolean()
    observed_at = fields.AwareDateTime(required=True)
    received_at = fields.AwareDateTime(required=True)
    saw_prediction = fields.String(required=True)
    refers_to = fields.UUID()
    quarantine = fields.String()
    status = fields.String()
    comment = fields.String()


class AsOfSchema(Schema):
    """The moment asked about."""

    as_of = fields.String(metadata={"description": "RFC 3339; now unless said otherwise", "format": "date-time"})


class LabelsSchema(Schema):
    """Every event about one prediction, what holds, and the outcome of its card."""

    prediction = fields.UUID(required=True)
    as_of = fields.AwareDateTime(required=True)
    disputed = fields.Boolean(required=True)
    labels = fields.List(fields.Nested(LabelSchema), required=True)
    outcome = fields.Dict()
