"""The card of the rare-disease service: candidates with their reasons, never a percentage for a disease."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from cds_service.cdshooks.card_text import note_text, record_remarks
from cds_service.cdshooks.markdown import plain, quoted
from cds_service.cdshooks.override_reasons import NON_ADHERENCE, override_reasons
from cds_service.cdshooks.prefetch import Note
from cds_service.cdshooks.wording import Words, words
from cds_service.domain.label import RARE_SYSTEMS
from cds_service.domain.phenotype import Against, Candidate, Phenotype, Ranking, RareAssessment, Support
from cds_service.i18n import Translate, msgid
from cds_service.vocabulary import LEARNED_FROM, LEARNED_FROM_ONE

MOST_CANDIDATES = 5
"""A card has room for three to five; the address of the prediction has them all."""

BANDS = {"low": msgid("low"), "medium": msgid("medium"), "high": msgid("high")}
_CONFIDENCE = {
    "low": msgid("low confidence"),
    "medium": msgid("medium confidence"),
    "high": msgid("high confidence"),
}
_MOST_NAMED = 5
# Marks of how much a finding weighs among all that speak for a disease: from this share on. Chosen by us.
_MARKS = ((0.25, "▲▲▲"), (0.12, "▲▲"), (0.0, "▲"))
_MARKUP = re.compile(r"([\\`*_\[\]{}|~#])")


def rare_cards(
    assessment: RareAssessment, *, language: str, public_url: str, notes: Sequence[Note] = ()
) -> list[dict[str, Any]]:
    """The one card: the candidates, or what is missing to have any."""
    w, ranking, card_id = words(language), assessment.ranking, str(assessment.id)
    t = w.t
    about = f"{public_url}/models/rare/{quote(ranking.version, safe='')}/card"
    return [
        {
            "uuid": card_id,
            "summary": plain(rare_summary(ranking, t), 139),
            "detail": "\n\n".join(part for part in _parts(assessment, notes, w) if part),
            "indicator": "info",
            "source": {"label": f"Human Phenotype Ontology {plain(ranking.release)}", "url": about},
            "links": [
                {"label": t("Reasons and feedback"), "url": f"{public_url}/predictions/{card_id}", "type": "absolute"},
                {"label": t("About this knowledge base"), "url": about, "type": "absolute"},
            ],
            "overrideReasons": [
                *(reason for reason in override_reasons(language) if reason["system"] == NON_ADHERENCE),
                *(reason for one in ranking.candidates for reason in _diagnosed(one, t)),
            ],
        }
    ]


def _diagnosed(candidate: Candidate, t: Translate) -> Iterator[dict[str, Any]]:
    """That the patient has this disease, as a reason to set the card aside: feedback with it is a first validation."""
    source, _, code = candidate.id.partition(":")
    if source in RARE_SYSTEMS:
        text = t("Diagnosed: %(disease)s") % {"disease": plain(candidate.name, 120)}
        yield {"code": code, "system": RARE_SYSTEMS[source], "display": text}


def rare_summary(ranking: Ranking, t: Translate) -> str:
    """How many candidates there are and how far to trust them, or that there are too few findings for any."""
    if ranking.omitted is not None:
        return t("Rare diseases: not enough findings (%(count)d of at least 3)") % {"count": ranking.n_findings}
    text = t("Rare diseases to consider (not a diagnosis): %(count)d, from %(findings)d findings; %(confidence)s")
    return text % {
        "count": len(ranking.candidates),
        "findings": ranking.n_findings,
        "confidence": t(_CONFIDENCE[ranking.band]),
    }


def _parts(assessment: RareAssessment, notes: Sequence[Note], w: Words) -> Iterator[str]:
    """The paragraphs of the card, in the order they are read."""
    ranking, t = assessment.ranking, w.t
    if ranking.omitted is not None:
        yield t("At least three clinical findings are needed; vital signs alone are not enough.")
    else:
        yield "\n".join(f"{number}. {_candidate(one, t)}" for number, one in enumerate(ranking.candidates, 1))
        yield t(
            "**How far to trust it:** the disease was in a list of this length in about %(share)d of 10 published "
            "cases like this. Most patients have none of these diseases."
        ) % {"share": round(10 * ranking.confidence)}
    if ranking.questions:
        yield f"**{t('To look for next')}:** {_listed(question.name for question in ranking.questions)}"
    yield _excluded(assessment.phenotype, t)
    yield _not_mapped(assessment.phenotype, t)
    yield " ".join([*(note_text(note, t) for note in notes), *record_remarks(assessment.snapshot, w)])
    if ranking.learned_version:
        yield t("Validated cases of this site: version %(version)s.") % {"version": ranking.learned_version}
    text = t(
        "*HPO %(release)s, OMIM, Orphanet, rare %(version)s. Names in English. Demonstration, not for clinical use.*"
    )
    yield text % {"release": plain(ranking.release), "version": plain(ranking.version)}


def _candidate(candidate: Candidate, t: Translate) -> str:
    """One disease: its ids and band, what speaks for it, what is missing, what speaks against it."""
    name = quoted(candidate.name, 120) if candidate.learned_from else _name(candidate.name)
    ids = ", ".join(map(plain, (candidate.id, *candidate.also)))
    lines = [f"**{name}** ({ids}) · {t(BANDS[candidate.band])}"]
    if candidate.learned_from:
        count = candidate.learned_from
        lines.append(t(LEARNED_FROM_ONE if count == 1 else LEARNED_FROM) % {"count": count})
    lines.append(f"{t('For')}: {_listed(map(_supporting, candidate.support))}")
    if candidate.expected:
        lines.append(f"{t('Expected, not recorded')}: {_listed(expected.name for expected in candidate.expected)}")
    if candidate.against:
        against = "; ".join(contrary(one._replace(name=_name(one.name)), t) for one in candidate.against[:_MOST_NAMED])
        lines.append(f"{t('Against')}: {against}")
    return "\n   - ".join(lines)


def _supporting(support: Support) -> str:
    return f"{support.name} {weight_mark(support.share)}"


def weight_mark(share: float) -> str:
    """One to three marks for how much a finding weighs among all that speak for a disease."""
    return next(mark for least, mark in _MARKS if share >= least)


def contrary(against: Against, t: Translate) -> str:
    """What speaks against a disease, as a phrase."""
    if against.reason == "onset":
        return t("usually begins later in life (%(age)s years or more)") % {"age": against.name}
    if against.reason == "sex":
        return t("X-linked recessive: mostly males fall ill")
    return t("%(finding)s excluded") % {"finding": against.name}


def _excluded(phenotype: Phenotype, t: Translate) -> str:
    count = sum(finding.excluded for finding in phenotype.findings)
    return t("Excluded findings taken into account: %(count)d.") % {"count": count} if count else ""


def _not_mapped(phenotype: Phenotype, t: Translate) -> str:
    """How many codes have no meaning here, and the first of them."""
    if not phenotype.unmapped:
        return ""
    named = ", ".join(dict.fromkeys(quoted(one.code, 40) for one in phenotype.unmapped[:_MOST_NAMED]))
    count = t("%(count)d codes or names") % {"count": len(phenotype.unmapped)}
    return f"**{t('Not used')}:** {count}: {named}"


def _listed(names: Iterable[str]) -> str:
    """The first names, separated, with a mark where there are more."""
    every = list(names)
    return " · ".join(map(_name, every[:_MOST_NAMED])) + (" …" if len(every) > _MOST_NAMED else "")


def _name(text: str) -> str:
    """A name of the published knowledge base, its brackets and stars without their meaning in Markdown."""
    return _MARKUP.sub(r"\\\1", plain(text, 120))
