"""Reads what a prefetch left out from the caller's FHIR server: a few queries at once, within one deadline.

Nothing is followed: no redirect, and no page of a result that lies elsewhere. The token is in the header of these
requests and nowhere else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from threading import BoundedSemaphore, Lock, Thread
from typing import Any, TypeVar

import httpx
import msgspec

from cds_service.errors import Unavailable
from cds_service.fhir.access import FetchFailed, FhirAccess, may_connect
from cds_service.fhir.paging import Link, Page, next_page, page_from_bytes

T = TypeVar("T")

# Chosen by us: a hook is answered in the order of 500 ms (CDS Hooks 2.0.1), and a person waits no longer than this.
DEADLINE_S = 2.0
BYTES_LIMIT = 1024 * 1024
PAGES_LIMIT = 5
# Half of the threads that answer requests: slow FHIR servers leave the other half to everybody else.
CALLS_LIMIT = 4

_HEADERS = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
_MEDIA = frozenset({"application/fhir+json", "application/json", "application/jwk-set+json"})


_LATE = FetchFailed("no answer in time")


class _Refused(Exception):
    """A page that will not do; its text is a `FetchFailed.reason`."""


class FhirClient:
    """Queries FHIR servers from one event loop in a thread of its own, made at the first use."""

    def __init__(self, *, deadline_s: float = DEADLINE_S, tls: ssl.SSLContext | None = None) -> None:
        self._deadline_s = deadline_s
        self._tls = tls
        self._calls = BoundedSemaphore(CALLS_LIMIT)
        self._starting = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._clients: dict[str, httpx.AsyncClient] = {}

    def read(self, access: FhirAccess, queries: Mapping[str, str]) -> dict[str, bytes | FetchFailed]:
        """The answer of each query (relative to the base) as bytes, or why there is none.

        All within one deadline. Unavailable when too many calls wait for FHIR servers already.
        """
        found = self._done(lambda: self._read_all(access, queries))
        return dict.fromkeys(queries, _LATE) if found is None else found

    def read_document(self, access: FhirAccess) -> bytes | FetchFailed:
        """The JSON document at the base address itself, such as a client's key set; within the same limits."""
        return self.read(access, {"": ""})[""]

    def send_form(self, access: FhirAccess, form: Mapping[str, str], authorization: str | None) -> bytes | FetchFailed:
        """The JSON answer of the base address itself to a form; within the same limits, never sent twice."""
        found = self._done(lambda: self._in_time(self._posted(access, form, authorization)))
        return _LATE if found is None else found

    def close(self) -> None:
        """End the thread and close its connections."""
        with self._starting:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close_clients(), loop).result(2.0)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(2.0)
        loop.close()

    def _done(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """What the work on the loop came to; None when it took too long, Unavailable when too many wait already."""
        if not self._calls.acquire(blocking=False):
            raise Unavailable("too many calls wait for FHIR servers", where="fhirServer")
        try:
            future = asyncio.run_coroutine_threadsafe(work(), self._running())
            try:
                return future.result(self._deadline_s + 1.0)
            except FutureTimeout:
                future.cancel()
                return None
        finally:
            self._calls.release()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(target=self._loop.run_forever, name="cds-fhir", daemon=True)
                self._thread.start()
            return self._loop

    async def _close_clients(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _read_all(self, access: FhirAccess, queries: Mapping[str, str]) -> dict[str, bytes | FetchFailed]:
        tasks = {
            key: asyncio.create_task(
                self._in_time(self._pages(access, f"{access.base}/{query}" if query else access.base))
            )
            for key, query in queries.items()
        }
        await asyncio.wait(tasks.values())
        return {key: task.result() for key, task in tasks.items()}

    async def _in_time(self, work: Coroutine[Any, Any, bytes]) -> bytes | FetchFailed:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await work
        except TimeoutError:
            return _LATE
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return FetchFailed(f"no answer: {type(error).__name__}")
        except _Refused as error:
            return FetchFailed(str(error))

    async def _pages(self, access: FhirAccess, url: str) -> bytes:
        """The resource, or the Bundle with its further pages joined as far as they lie on the same server."""
        address = await _resolve(access)
        body = await self._get(access, url, address, BYTES_LIMIT)
        first = _page(body)
        following = next_page(first, access.base)
        if first.entry is None or following is None:
            return body
        entries = list(first.entry)
        room = BYTES_LIMIT - len(body)
        for _ in range(PAGES_LIMIT - 1):
            if following is None:
                break
            page_body = await self._get(access, following, address, room)
            room -= len(page_body)
            page = _page(page_body)
            entries += page.entry or []
            following = next_page(page, access.base)
        # What was left unread is said by keeping the link: the prefetch's reader knows a paged Bundle by it.
        links = [] if following is None else [Link("next", following)]
        return msgspec.json.encode(Page("Bundle", links, entries))

    async def _get(self, access: FhirAccess, url: str, address: str, limit: int) -> bytes:
        headers = {} if access.token is None else {"Authorization": f"Bearer {access.token}"}
        return await self._send(access, _request("GET", url, address, headers), limit)

    async def _posted(self, access: FhirAccess, form: Mapping[str, str], authorization: str | None) -> bytes:
        headers = {"Accept": "application/json"}
        if authorization is not None:
            headers["Authorization"] = authorization
        request = _request("POST", access.base, await _resolve(access), headers, form)
        return await self._send(access, request, BYTES_LIMIT)

    async def _send(self, access: FhirAccess, request: httpx.Request, limit: int) -> bytes:
        response = await self._client(access.base).send(request, stream=True)
        try:
            return await _body(response, limit)
        finally:
            await response.aclose()

    def _client(self, base: str) -> httpx.AsyncClient:
        """One for each server, so that no connection is shared between two names at one address."""
        client = self._clients.get(base)
        if client is None:
            self._tls = self._tls or ssl.create_default_context()
            client = self._clients[base] = httpx.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=self._deadline_s
            )
        return client


def _request(
    method: str, url: str, address: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
) -> httpx.Request:
    """A request to the address that was checked; the certificate is still checked against the name."""
    target = httpx.URL(url)
    return httpx.Request(
        method,
        target.copy_with(host=address),
        headers={**_HEADERS, **headers, "Host": target.netloc.decode("ascii")},
        data=form,
        extensions={"sni_hostname": target.host},
    )


async def _resolve(access: FhirAccess) -> str:
    """An address of the server's name that may be connected to."""
    url = httpx.URL(access.base)
    port = url.port or (443 if url.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=1)
    allowed = [str(entry[4][0]) for entry in found if may_connect(str(entry[4][0]), access.rule)]
    if not allowed:
        raise _Refused("its name leads to an address that is not allowed")
    return allowed[0]


async def _body(response: httpx.Response, limit: int) -> bytes:
    """The body of a sound answer, read no further than the limit."""
    if response.status_code != 200:
        raise _Refused(f"answered {response.status_code}")
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() not in _MEDIA:
        raise _Refused("answered with something else than FHIR JSON")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _Refused("answered compressed though asked not to")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise _Refused("answered with too much")
    return bytes(body)


def _page(body: bytes) -> Page:
    found = page_from_bytes(body)
    if found is None:
        raise _Refused("answered with something else than FHIR JSON")
    return found
