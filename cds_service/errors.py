"""Every failure the service names, with the HTTP status and FHIR issue code it turns into at the edge.

CdsError
├── BadRequest        400  the request cannot be read or does not say what it must
│   ├── MalformedJson 400  not strict JSON
│   ├── InvalidResource 422  JSON, but not a FHIR resource that can be used
│   └── InvalidMessage 422  not an HL7 v2 message that can be taken
├── Unauthorized      401  who calls is not known; never says why
├── NotFound          404
├── Conflict          409  the same key with other content
├── DataRequired      412  data the answer needs, and nobody would give it
├── TooLarge          413
├── UnsupportedMedia  415
├── Unavailable       503  database, model or queue away; carries Retry-After
│   └── Suspended     503  the tenant's operator suspended assessment; says since when and why
└── ConfigurationError     start is refused; never reaches a request
"""

from __future__ import annotations


class CdsError(Exception):
    """A failure with a place and a remedy; `text` never holds patient data.

    `details` are further places, each with its own text, where one request has several things wrong.
    """

    status = 500
    issue = "exception"

    def __init__(self, text: str, *, where: str = "", details: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{where}: {text}" if where else text)
        self.text = text
        self.where = where
        self.details = details


class BadRequest(CdsError):
    """The request cannot be read, or does not say what it must."""

    status = 400
    issue = "invalid"


class MalformedJson(BadRequest):
    """The body is not strict JSON."""

    issue = "structure"


class InvalidResource(BadRequest):
    """The body is JSON but holds a FHIR resource that cannot be used."""

    status = 422
    issue = "processing"


class InvalidMessage(BadRequest):
    """An HL7 v2 message that cannot be taken; `where` is a place such as `MSH-12`.

    `code` is the error's code in HL7 table 0357. `is_rejected` says that the message is not for us as it is (type,
    version, what no receiver could read: AR), rather than wrong in its content (AE). `is_answered` is False for an
    acknowledgment: it is never acknowledged.
    """

    status = 422
    issue = "processing"

    def __init__(
        self,
        text: str,
        *,
        where: str,
        code: int,
        is_rejected: bool = False,
        is_answered: bool = True,
        details: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(text, where=where, details=details)
        self.code = code
        self.is_rejected = is_rejected
        self.is_answered = is_answered


class Unauthorized(CdsError):
    """Who calls is not known. `reason` is a short word for the audit log; the answer never says it."""

    status = 401
    issue = "login"

    def __init__(self, reason: str) -> None:
        super().__init__("authentication is required")
        self.reason = reason


class Forbidden(CdsError):
    """The caller is known, and this is not theirs to do. `reason` is a short word for the audit log."""

    status = 403
    issue = "forbidden"

    def __init__(self, reason: str) -> None:
        super().__init__("this caller may not do this")
        self.reason = reason


class NotFound(CdsError):
    """Nothing is here for this caller."""

    status = 404
    issue = "not-found"


class Conflict(CdsError):
    """The same key came before with other content."""

    status = 409
    issue = "duplicate"


class DataRequired(CdsError):
    """Data the answer needs were not sent and could not be fetched."""

    status = 412
    issue = "required"


class TooLarge(CdsError):
    """The body, or a count in it, is over a stated limit."""

    status = 413
    issue = "too-long"


class UnsupportedMedia(CdsError):
    """The body's media type or encoding is not one this address reads."""

    status = 415
    issue = "not-supported"


class TooManyRequests(CdsError):
    """The caller asked more often than is agreed."""

    status = 429
    issue = "throttled"

    def __init__(self, text: str, *, where: str = "", retry_after_s: int = 1) -> None:
        super().__init__(text, where=where)
        self.retry_after_s = retry_after_s


class Unavailable(CdsError):
    """A part the answer needs (database, model, queue) is away; trying again later may work."""

    status = 503
    issue = "transient"

    def __init__(self, text: str, *, where: str = "", retry_after_s: int = 2) -> None:
        super().__init__(text, where=where)
        self.retry_after_s = retry_after_s


class Suspended(Unavailable):
    """An operator suspended assessment for this tenant. A failure is never an empty card list, nor is this."""

    issue = "suppressed"

    def __init__(self, text: str, *, where: str = "") -> None:
        super().__init__(text, where=where, retry_after_s=60)


class ConfigurationError(CdsError):
    """A setting, file or artifact is wrong; start is refused with its name."""
