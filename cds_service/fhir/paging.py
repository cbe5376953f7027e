"""Pages of a search result, as far as they lie on the server that was asked."""

from __future__ import annotations

import msgspec


class Link(msgspec.Struct):
    """Where another page is."""

    relation: str | None = None
    url: str | None = None


class Page(msgspec.Struct):
    """The little of a search result that paging needs."""

    resourceType: str | None = None  # noqa: N815 -- FHIR's own spelling
    link: list[Link] | None = None
    entry: list[msgspec.Raw] | None = None


_PAGE = msgspec.json.Decoder(Page)


def page_from_bytes(body: bytes) -> Page | None:
    """What paging needs of an answer; None for what is no JSON object of that shape."""
    try:
        return _PAGE.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def next_page(page: Page, base: str) -> str | None:
    """The next page if it lies under the same base; one that lies elsewhere is as good as none."""
    for link in page.link or []:
        url = link.url or ""
        if link.relation == "next" and url.startswith((f"{base}/", f"{base}?")) and ".." not in url:
            return url
    return None
