"""Signing in and out."""

from __future__ import annotations

from flask import Response, request

from cds_service.errors import TooManyRequests, Unauthorized
from cds_service.web.authentication import user_with_password
from cds_service.web.console.pages import console, link, own_address, page
from cds_service.web.console.sessions import require_own_form, session_event, sign_in, sign_out
from cds_service.web.context import runtime, see_other
from cds_service.web.refusals import record_refusal


@console.get("/login")
def login() -> Response:
    """The form that asks who is there."""
    return page("login.html", next=own_address(request.args.get("next", "")))


@console.post("/login")
def take_login() -> Response:
    """On to the page that was asked for; the form again, without a word of why, when nobody is proven."""
    process = runtime()
    require_own_form()
    next_page = own_address(request.form.get("next", ""))
    name = request.form.get("name", "")
    try:
        user = user_with_password(process, name, request.form.get("password", ""))
    except Unauthorized as error:
        record_refusal(error.reason)
        return page("login.html", status=401, next=next_page, name=name, refused=True)
    except TooManyRequests as error:
        response = page("login.html", status=429, next=next_page, name=name, wait_s=error.retry_after_s)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    # In the audit log before the page goes on.
    process.writer.submit_audit(session_event("login", user, process.now()))
    sign_in(user, process.now())
    return see_other(next_page)


@console.post("/logout")
def logout() -> Response:
    """Out: no cookie of this session counts any more."""
    require_own_form()
    sign_out(runtime())
    return see_other(link("console.login"))
