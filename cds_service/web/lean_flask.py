"""Flask without the steps that none of our addresses needs; every request would pay for them.

Left out are coroutine views and functions around the requests of a single blueprint: there are none, and a test holds
us to that. The rule of an address asked for all day is looked up once. Measured in docs/decisions/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.sessions import NullSession, SecureCookieSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule


class LeanFlask(Flask):
    """A Flask application whose functions around requests are those of all requests, and no coroutines.

    It keeps no sessions, unless it is given another interface to them.
    """

    def __init__(self, name: str, *, often: Iterable[str] = ()) -> None:
        """`often` are the paths whose rules are remembered."""
        super().__init__(name, static_folder=None)
        self.session_interface = NoSessions()
        self._often = frozenset(often)
        self._found: dict[tuple[str, str], tuple[Rule, Mapping[str, Any]]] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the rule of a request; None outside one, where nothing here builds an address."""
        if request is None:
            return None
        environ = request.environ
        if environ.get("PATH_INFO") in self._often and "HTTP_UPGRADE" not in environ and _is_host(request.host):
            return _OneOfFew(request, self)
        return super().create_url_adapter(request)

    def rule_of(self, adapter: MapAdapter, method: str, path: str) -> tuple[Rule, Mapping[str, Any]]:
        """Rule and values of one of few paths; for a method it does not take what `adapter` raises."""
        key = method, path
        if (found := self._found.get(key)) is None:
            found = self._found[key] = MapAdapter.match(adapter, return_rule=True)
        return found

    def preprocess_request(self) -> Any:
        """What a function before the request answers in its place, else None."""
        for ask in self.before_request_funcs[None]:
            if (answer := ask()) is not None:
                return answer
        return None

    def process_response(self, response: Response) -> Response:
        """The answer as the functions after the request leave it, with a page's cookie."""
        for change in reversed(self.after_request_funcs[None]):
            response = change(response)
        held = request_ctx._session
        if held is not None and not self.session_interface.is_null_session(held):
            self.session_interface.save_session(self, held, response)
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """Tell the functions at a request's end."""
        for tell in self.teardown_request_funcs[None]:
            tell(exc)

    def do_teardown_appcontext(self, exc: BaseException | None = None) -> None:
        """Nobody is told."""


class NoSessions(SessionInterface):
    """Keeps nothing between requests."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Nothing is there to be opened."""
        return None

    def make_null_session(self, app: Flask) -> NullSession:
        """What stands for no session, which nothing can be written to: one for all."""
        return _NO_SESSION


_NO_SESSION = NullSession()
_ASKED = {"return_rule": True}


@lru_cache(maxsize=16)
def _is_host(host: str) -> bool:
    """Whether Flask takes it for a host."""
    try:
        host.partition(":")[0].encode("idna")
    except UnicodeError:
        return False
    return True


class _OneOfFew(MapAdapter):
    """Matches one of few paths: once for each method."""

    def __init__(self, request: Request, application: LeanFlask) -> None:
        asked = request.environ
        mounted, path, query = asked.get("SCRIPT_NAME", ""), asked["PATH_INFO"], asked.get("QUERY_STRING", "")
        super().__init__(
            application.url_map, request.host, mounted, "", request.scheme, path, request.method, query_args=query
        )
        self._application = application

    def match(self, *args: Any, **kwargs: Any) -> Any:
        """Rule and values, as Flask asks for them; what else it asks is looked up."""
        if args or kwargs != _ASKED:
            return super().match(*args, **kwargs)
        rule, values = self._application.rule_of(self, self.default_method, self.path_info)
        return rule, dict(values)
