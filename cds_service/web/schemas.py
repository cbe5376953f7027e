"""What the addresses answer, and what `/predict` takes, as marshmallow schemas: the source of /openapi.json."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields


class ProblemSchema(Schema):
    """A failure outside FHIR and CDS Hooks (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    where = fields.String(metadata={"description": "the member, line or setting that is wrong"})
    errors = fields.List(fields.Dict(), metadata={"description": "every further thing that is wrong, with its place"})


class FhirSchema(Schema):
    """A FHIR resource (R4, R4B) with whatever members its type has."""

    class Meta:
        """What else comes is described by FHIR."""

        unknown = INCLUDE

    resourceType = fields.String(required=True)  # noqa: N815 - FHIR's name


class CardsSchema(Schema):
    """CDS Hooks cards; an empty list says that the patient was looked at and there is nothing to say."""

    cards = fields.List(fields.Dict(), required=True)


class ServicesSchema(Schema):
    """CDS Hooks discovery."""

    services = fields.List(fields.Dict(), required=True)


class RecordSchema(Schema):
    """One flat record of a patient; canonical units unless `<name>_unit` says otherwise. Other vital signs likewise."""

    class Meta:
        """The other vital signs and their units."""

        unknown = INCLUDE

    age = fields.Float(metadata={"description": "years"})
    sex = fields.String(metadata={"description": "male or female"})
    heart_rate = fields.Float(metadata={"description": "/min"})
    respiratory_rate = fields.Float(metadata={"description": "/min"})
    temperature = fields.Float(metadata={"description": "Cel"})
    systolic_bp = fields.Float(metadata={"description": "mm[Hg]"})
    diastolic_bp = fields.Float(metadata={"description": "mm[Hg]"})
    spo2 = fields.Float(metadata={"description": "%"})


class DriverSchema(Schema):
    """One input's share in the risk, in log-odds."""

    feature = fields.String(required=True)
    value = fields.Raw(required=True, allow_none=True)
    contribution = fields.Float(required=True)


class PredictionSchema(Schema):
    """One prediction as it is stored."""

    id = fields.UUID(required=True)
    at = fields.AwareDateTime(required=True)
    news2 = fields.Dict(required=True)
    risk = fields.Dict(required=True)
    states = fields.List(fields.Dict(), required=True)
    state_model = fields.Dict(required=True, allow_none=True)
    used = fields.List(fields.Dict(), required=True)
    not_used = fields.List(fields.Dict(), required=True)
    would_help = fields.List(fields.String(), required=True)
    remarks = fields.List(fields.String(), required=True)
    model = fields.Dict(required=True)
    site_hash = fields.String(required=True)
    disclaimer = fields.String(required=True)


class SilentSchema(Schema):
    """A prediction that was stored and is not shown."""

    id = fields.UUID(required=True)
    mode = fields.String(required=True)


class ExplanationSchema(Schema):
    """Why a prediction says what it says."""

    id = fields.UUID(required=True)
    unit = fields.String(required=True)
    drivers = fields.List(fields.Nested(DriverSchema), required=True)
    omitted = fields.String(required=True, allow_none=True)
    news2_points = fields.Dict(required=True)
    model = fields.Dict(required=True)


class _AboutFindings(Schema):
    """What is asked beside the findings themselves."""

    age_years = fields.Float()
    sex = fields.String(metadata={"description": "male, female or unknown"})
    limit = fields.Integer(metadata={"description": "how many candidates, 1 to 50; 10 unless said otherwise"})


class FindingsSchema(_AboutFindings):
    """Findings of one patient: HPO ids, `system|code`, or names as HPO has them."""

    observed = fields.List(fields.String(), required=True)
    excluded = fields.List(fields.String())


class FindingsQuerySchema(_AboutFindings):
    """The same in a query: findings separated by commas."""

    observed = fields.String(required=True)
    excluded = fields.String()


class RareSchema(Schema):
    """Rare diseases to consider, best first; no disease has a percentage."""

    id = fields.UUID(required=True)
    at = fields.AwareDateTime(required=True)
    ranked = fields.List(fields.Dict(), required=True)
    omitted = fields.String(required=True, allow_none=True)
    confidence = fields.Dict(required=True)
    n_findings = fields.Integer(required=True)
    look_for_next = fields.List(fields.Dict(), required=True)
    findings = fields.List(fields.Dict(), required=True)
    not_used = fields.List(fields.Dict(), required=True)
    remarks = fields.List(fields.String(), required=True)
    model = fields.Dict(required=True)
    hpo_release = fields.String(required=True)
    learned_version = fields.String(required=True)
    site_hash = fields.String(required=True)
    disclaimer = fields.String(required=True)


class SearchSchema(Schema):
    """What a person typed."""

    q = fields.String()
    limit = fields.Integer(metadata={"description": "1 to 50; 10 unless said otherwise"})


class FoundSchema(Schema):
    """Findings whose name or synonym begins so."""

    findings = fields.List(fields.Dict(), required=True)
    release = fields.String(required=True)


class HealthSchema(Schema):
    """Whether the service is alive or ready; `problems` by part."""

    status = fields.String(required=True)
    problems = fields.Dict(keys=fields.String(), values=fields.String())


class ReadySchema(HealthSchema):
    """Whether calls are answered now; by task the version that answers, and the one that should and was refused.

    What made-up patients taught answers no real ones: those versions, by task.
    """

    models = fields.Dict(keys=fields.String(), values=fields.String(allow_none=True), required=True)
    refused = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    withheld_from_real_patients = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
