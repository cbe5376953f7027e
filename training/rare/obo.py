"""Reads `hp.obo`: terms with names, synonyms, parents, alternative ids and cross-references (OBO 1.2 and 1.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cds_service.errors import ConfigurationError

_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)" (EXACT|NARROW|BROAD|RELATED)')
_HPO_ID = re.compile(r"HP:[0-9]{7}")
# Synonyms of another meaning than their term would find the wrong finding; abbreviations too often mean another thing.
_SCOPES = frozenset({"EXACT", "NARROW"})
_NOT_FOR_SEARCH = ("abbreviation", "obsolete_synonym")


@dataclass(slots=True)
class Term:
    """One stanza of the file; `replaced_by` is set on obsolete terms that have a successor."""

    id: str
    name: str = ""
    synonyms: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    alternatives: list[str] = field(default_factory=list)
    snomed: list[str] = field(default_factory=list)
    umls: list[str] = field(default_factory=list)
    obsolete: bool = False
    replaced_by: str = ""


def read_obo(path: Path) -> tuple[str, list[Term]]:
    """The release named in the header, and every HPO term of the file, obsolete ones included."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError("cannot be read as UTF-8 text", where=str(path)) from problem
    header, *stanzas = text.split("\n[")
    version = re.search(r"^data-version: (?:hp/releases/)?(\S+)$", header, re.MULTILINE)
    terms = [_term(stanza) for stanza in stanzas if stanza.startswith("Term]\nid: HP:")]
    if version is None or not terms:
        raise ConfigurationError("is no HPO release: data-version or terms are missing", where=str(path))
    return version[1], terms


def _term(stanza: str) -> Term:
    term = Term(id="")
    for tag, value in _tags(stanza):
        if tag == "id":
            term.id = value
        elif tag == "name":
            term.name = value
        elif tag == "is_a":
            term.parents.append(value.split(" ")[0])
        elif tag == "alt_id":
            term.alternatives.append(value)
        elif tag == "synonym":
            _add_synonym(term, value)
        elif tag == "xref":
            _add_reference(term, value.split(" ")[0])
        elif tag == "is_obsolete":
            term.obsolete = value == "true"
        elif tag == "replaced_by" and _HPO_ID.fullmatch(value):
            term.replaced_by = value
    return term


def _tags(stanza: str) -> Iterator[tuple[str, str]]:
    for line in stanza.splitlines()[1:]:
        tag, separator, value = line.partition(": ")
        if separator:
            yield tag, value


def _add_synonym(term: Term, value: str) -> None:
    found = _SYNONYM.match(value)
    if found and found[2] in _SCOPES and not any(kind in value[found.end() :] for kind in _NOT_FOR_SEARCH):
        term.synonyms.append(found[1].replace('\\"', '"'))


def _add_reference(term: Term, reference: str) -> None:
    system, _, code = reference.partition(":")
    if system == "SNOMEDCT_US":
        term.snomed.append(code)
    elif system == "UMLS":
        term.umls.append(code)
