"""Whether this caller may call: the check that reads the access table."""

from __future__ import annotations

from flask import request

from cds_service.access import ACCESS
from cds_service.domain.actor import Actor
from cds_service.errors import Forbidden, TooManyRequests
from cds_service.runtime import Runtime
from cds_service.web.authentication import actor_of_request
from cds_service.web.context import keep_allowance, keep_caller
from cds_service.web.refusals import claim


def authenticate(process: Runtime) -> Actor:
    """The caller of an address that demands one.

    Raises Unauthorized when the request does not prove who it is, Forbidden when that is nobody the address
    admits, TooManyRequests when it is over what a client may ask a minute.
    """
    if process.settings.client_auth == "off":
        keep_caller(process.clients.local)
        return process.clients.local
    actor = actor_of_request(process)
    keep_caller(actor)
    allowance = process.budgets.use(actor.tenant, actor.name)
    keep_allowance(allowance)
    if allowance.wait_s:
        raise TooManyRequests("more calls than are agreed with this client", retry_after_s=allowance.wait_s)
    if not ACCESS[request.endpoint or ""].admits(actor):
        claim(actor=actor.name, tenant=actor.tenant)
        raise Forbidden("role" if actor.scopes is None else "scope")
    return actor
