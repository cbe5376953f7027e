"""Symptoms as they are typed: exact names are taken, what is like several is asked back, the rest is kept as words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from werkzeug.datastructures import MultiDict

from cds_service.domain.codes import normalised
from cds_service.domain.ontology import HPO
from cds_service.domain.phenotype import Finding, Heard, Unmapped
from cds_service.domain.text import bounded
from cds_service.errors import BadRequest
from cds_service.inference.ranker_service import RareDiseases
from cds_service.inference.ranker_words import Hit
from cds_service.web.console.spanish_findings import ENGLISH

# Present, and looked for and not present: the names the address `/rare-diseases` has for them.
SIDES = ("observed", "excluded")
MOST_OFFERED, LONGEST_TEXT = 6, 2000
_LONGEST_WORDS, _MOST_TAKEN = 200, 100
_FEWEST_LETTERS = 3
_HPO_ID = re.compile(r"HP:[0-9]{7}")
_SEPARATOR = re.compile(r"[,;\n]")
_WORDS = "="  # before what is kept as it was typed


@dataclass(frozen=True, slots=True)
class Taken:
    """One symptom of the form: the HPO id it stands for, or the words no finding has, which are kept and not used."""

    term: str
    name: str

    @property
    def value(self) -> str:
        """What the form carries along."""
        return self.term or f"{_WORDS}{self.name}"


@dataclass(frozen=True, slots=True)
class Question:
    """Words that are no finding's name, and the findings they may mean."""

    words: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """The symptoms that are present, or those that are not: taken, typed, and what of the typed is asked about."""

    taken: tuple[Taken, ...] = ()
    text: str = ""
    questions: tuple[Question, ...] = ()


Sides = Mapping[str, Side]


def sides_of(sent: MultiDict[str, str], known: RareDiseases | None) -> dict[str, Side]:
    """The symptoms a form was sent with; without the knowledge base terms have no names, and none is looked up."""
    return {
        name: Side(
            taken=tuple(_each(filter(None, (_taken(value, known) for value in sent.getlist(f"{name}_term"))))),
            text=sent.get(name, "")[:LONGEST_TEXT].strip(" ,;\r\n"),
        )
        for name in SIDES
    }


def read(sides: Sides, known: RareDiseases) -> dict[str, Side]:
    """The sides with all that was typed read: what stays in `text` is asked about in `questions`."""
    return {name: _read(side, known) for name, side in sides.items()}


def offer(side: Side, known: RareDiseases) -> Side:
    """The side with findings that are named like what is typed last."""
    last = (_parts(side.text) or [""])[-1]
    hits = _like(last, known) if len(last) >= _FEWEST_LETTERS else ()
    return replace(side, questions=(Question(last, hits),) if hits else ())


def change(sides: Sides, action: str, known: RareDiseases) -> dict[str, Side]:
    """The sides after a press of a button: `add SIDE TERM WORDS`, `keep SIDE WORDS`, or `remove SIDE VALUE`."""
    verb, name, rest = [*action.split(" ", 2), "", ""][:3]
    if name not in SIDES:
        raise BadRequest("no such button", where="symptom")
    if verb == "remove":
        return {**sides, name: _without(sides[name], rest)}
    value, _, words = rest.partition(" ") if verb == "add" else (f"{_WORDS}{rest}", "", rest)
    new = _taken(value, known)
    if new is None:
        raise BadRequest("no such finding", where="symptom")
    changed = {side: _without(one, new.value) for side, one in sides.items()}
    left = [part for part in _parts(sides[name].text) if part != words]
    changed[name] = replace(changed[name], taken=(*changed[name].taken, new), text=_joined(left))
    return changed


def heard(sides: Sides) -> Heard:
    """What the form says of findings; words that are no finding's name are kept with that reason."""
    every = [(side, name == "excluded", name) for name, side in sides.items()]
    return Heard(
        tuple(
            Finding(one.term, excluded, name, one.name)
            for side, excluded, name in every
            for one in side.taken
            if one.term
        ),
        tuple(
            Unmapped("", bounded(one.name), name, "unknown-name")
            for side, _, name in every
            for one in side.taken
            if not one.term
        ),
    )


def _without(side: Side, value: str) -> Side:
    return replace(side, taken=tuple(taken for taken in side.taken if taken.value != value))


def _read(side: Side, known: RareDiseases) -> Side:
    taken, questions = list(side.taken), []
    for part in _lines(side.text, known):
        term = _named(part, known)
        hits = () if term else _like(part, known)
        if hits:
            questions.append(Question(part, hits))
        else:
            taken += filter(None, [_taken(term or f"{_WORDS}{part}", known)])
    return Side(tuple(_each(iter(taken))), _joined([one.words for one in questions]), tuple(questions))


def _named(text: str, known: RareDiseases) -> str | None:
    """The finding with exactly this name, in English or Spanish, or this HPO id."""
    spanish = ENGLISH.get(" ".join(normalised(text)))
    return known.words.term(spanish or text) or known.codes.term(HPO, text.upper())


def _like(text: str, known: RareDiseases) -> tuple[Hit, ...]:
    """Findings named like the text, those whose Spanish words begin so first; each once."""
    begun = " ".join(normalised(text))
    spanish = [(name, words) for words, name in ENGLISH.items() if begun and words.startswith(begun)]
    hits = [Hit(known.words.term(name) or "", name, words) for name, words in spanish]
    every = {hit.term: hit for hit in reversed([*hits, *known.words.search(text, MOST_OFFERED)])}
    return tuple(list(every.values())[::-1][:MOST_OFFERED])


def _lines(text: str, known: RareDiseases) -> Iterator[str]:
    """What was typed, one symptom each; a finding's own name may hold a comma."""
    for line in filter(None, map(str.strip, text.splitlines())):
        if _named(line, known):
            yield line
        else:
            yield from _parts(line)


def _parts(text: str) -> list[str]:
    return [bare[:_LONGEST_WORDS] for part in _SEPARATOR.split(text) if (bare := part.strip())]


def _joined(parts: list[str]) -> str:
    return "\n".join(parts)


def _taken(value: str, known: RareDiseases | None) -> Taken | None:
    if value.startswith(_WORDS):
        words = value[1:].strip()[:_LONGEST_WORDS]
        return Taken("", words) if words else None
    if known is None:
        return Taken(value, value) if _HPO_ID.fullmatch(value) else None
    term = known.codes.term(HPO, value)
    return Taken(term, name_of(term, known)) if term else None


def name_of(term: str, known: RareDiseases | None) -> str:
    """The name of a finding; its id where none is known, as while the names are loading."""
    row = None if known is None else known.codes.ontology.rows.get(term)
    return term if known is None or row is None else known.codes.ontology.names[row]


def _each(taken: Iterator[Taken]) -> Iterator[Taken]:
    """Each symptom once, not more than a patient can have."""
    yield from list(dict.fromkeys(taken))[:_MOST_TAKEN]
