"""What every page of the console shares: its frame, its language, its headers, and errors a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, render_template, request, session, url_for

from cds_service.access import ACCESS
from cds_service.domain.actor import Actor
from cds_service.errors import CdsError, Forbidden
from cds_service.i18n import LANGUAGES, msgid, negotiate, translator
from cds_service.runtime import Runtime
from cds_service.web.console.sessions import IDLE, SignedOut, form_token, opened_prediction, signed_in
from cds_service.web.context import caller, runtime, see_other
from cds_service.web.refusals import record_refusal

console = Blueprint("console", __name__, template_folder="../templates", static_folder="../static")

# Everything comes from this service, scripts only as files; no other site frames a page or is sent its address.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}

# The pages one goes to by oneself, in the order of their use; each is shown to those it admits.
PAGES: Mapping[str, str] = {
    "console.triage": msgid("Triage"),
    "console.review": msgid("Review"),
    "console.dashboard": msgid("Dashboard"),
    "console.models": msgid("Models"),
}

_LANGUAGE_NAMES = {"en": "English", "es": "Español"}


def person(process: Runtime) -> Actor:
    """Who is signed in, if the page is theirs to see; SignedOut or Forbidden otherwise."""
    actor = signed_in(process)
    if not ACCESS[request.endpoint or ""].admits(actor):
        raise Forbidden("role")
    return actor


def page_language() -> str:
    """What the person chose, else what their browser asks for."""
    chosen = request.args.get("language") or session.get("language")
    if chosen not in LANGUAGES:
        return negotiate(request.headers.get("Accept-Language"))
    if session.get("language") != chosen:
        session["language"] = chosen
    return str(chosen)


def page(template: str, *, actor: Actor | None = None, status: int = 200, **values: Any) -> Response:
    """A page in the person's language; values are escaped where they stand in it."""
    language = page_language()
    text = render_template(
        template,
        t=translator(language),
        link=link,
        language=language,
        actor=actor,
        pages=[(link(name), title, name == request.endpoint) for name, title in PAGES.items() if _is_for(actor, name)],
        form_token=form_token(),
        idle_s=int(IDLE.total_seconds()) if actor is not None and "id" in session else 0,
        languages=[(name, title, _query(values, language=name)) for name, title in _LANGUAGE_NAMES.items()],
        **values,
    )
    response = Response(text, status=status, content_type="text/html; charset=utf-8")
    response.headers.update(HEADERS)
    return response


def link(endpoint: str, **values: str) -> str:
    """The address of a page as a browser reaches it: under the path of the public URL, where a proxy put us."""
    return _base() + url_for(endpoint, **cast(dict[str, Any], values))


def own_address(address: str) -> str:
    """The address when it is one of this service's, else the first page's: nobody is sent to another site.

    Browsers and urlsplit leave out line ends and tabs, so that `/<tab>/other.example` is another site's: refused.
    """
    parts = urlsplit(address)
    is_ours = address.startswith(f"{_base()}/") and not address.startswith(("//", "/\\"))
    return (
        address
        if is_ours and address.isprintable() and not parts.scheme and not parts.netloc
        else link("console.first_page")
    )


def _is_for(actor: Actor | None, endpoint: str) -> bool:
    return actor is not None and ACCESS[endpoint].admits(actor)


def _query(values: Mapping[str, Any], *, language: str) -> str:
    """The query of this same page in another language: what it was asked with, and where a login leads to."""
    asked = request.args.to_dict(flat=False) | ({"next": [values["next"]]} if "next" in values else {})
    return "?" + urlencode(asked | {"language": [language]}, doseq=True)


def _base() -> str:
    return urlsplit(runtime().settings.public_url).path.rstrip("/")


@console.errorhandler(CdsError)
def show_error(error: CdsError) -> Response:
    """A failure in words; who is not signed in is asked to."""
    if isinstance(error, SignedOut):
        return _to_login()
    if isinstance(error, Forbidden):
        record_refusal(error.reason)
    title = HTTPStatus(error.status).phrase
    return page("error.html", actor=caller(), status=error.status, title=title, error=error)


def _to_login() -> Response:
    """On to the login, then back to the page; from what only takes forms, to the first page.

    A part of a page that is fetched cannot show the login: it says where the whole page must go.
    """
    asked = _base() + request.full_path.rstrip("?") if request.method == "GET" else link("console.first_page")
    address = link("console.login", next=asked)
    if "HX-Request" not in request.headers:
        return see_other(address)
    return Response(status=204, headers={"HX-Redirect": address})


@console.get("/")
def first_page() -> Response:
    """The first page that is for the person; whoever comes from an EHR's record, what they opened."""
    if opened := opened_prediction():
        return see_other(link("console.show_prediction", prediction_id=opened))
    actor = person(runtime())
    return see_other(link(next(name for name in PAGES if _is_for(actor, name))))
