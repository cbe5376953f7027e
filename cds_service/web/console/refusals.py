"""What the registry and the loaders of models refuse, in the language of the page: their sentences as a table.

The parts a sentence names are kept as they are.
"""

from __future__ import annotations

import re
from functools import cache

from cds_service.cdshooks.wording import Words
from cds_service.i18n import msgid

# The texts of services/registry.py, services/verdict.py, services/reasons.py and of the door that asks for a password.
REFUSALS = (
    msgid("who trained a version does not promote it: ask somebody else"),
    msgid("is in force already"),
    msgid("there is no version to go back to"),
    msgid("is not the artifact that was approved"),
    msgid("is in force or in shadow already"),
    msgid("no version is in shadow"),
    msgid("no such user, or not this password"),
    msgid("must be a steward or an admin of the production environment"),
    msgid("say why in 1 to %(most)s printable characters, without patient data"),
    msgid("is missing or not JSON: the gate has to judge the version first"),
    msgid("is not a verdict of the gate"),
    msgid("the gate said no, and nobody may override %(names)s"),
    msgid("the gate said no: name with --override what you take on: %(names)s"),
    msgid("the gate said %(said)s: %(names)s"),
    msgid("not a check that failed: %(names)s"),
    msgid("was changed after the gate wrote it (its digest differs)"),
    msgid("is about another artifact"),
    msgid("made-up patients taught it, and real ones are here"),
    msgid("the name stood for other files before: publish another"),
    msgid("says yes with failed checks"),
    msgid("too many failed attempts; wait"),
    # Of a broken artifact: the texts of inference/ that reach whoever publishes or promotes a version.
    msgid("cannot be read: no published version"),
    msgid("cannot be read"),
    msgid("missing or not JSON"),
    msgid("lists no files"),
    msgid("manifest is not of %(what)s, format %(format)s"),
    msgid("%(name)s is not JSON"),
    msgid("%(name)s is not the name of a version"),
    msgid("names a file outside the artifact: %(name)s"),
    msgid("has %(size)s bytes, the manifest says %(expected)s"),
    msgid("was changed after publishing (its digest differs)"),
    msgid("was changed after publishing (its SHA-256 differs)"),
    msgid("is not a plain array archive"),
    msgid("is not a graph ONNX Runtime can run"),
    msgid("does not take %(number)s columns as x"),
    msgid("does not give its golden margins"),
    msgid("tier %(name)s does not give its golden margins"),
    msgid("its calibration is not of five states"),
    msgid("was trained on other features than this service computes"),
    msgid("was trained on other features or states than this service knows"),
    msgid("does not hold what a %(task)s model must: %(problem)s"),
)


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.*)", re.escape(sentence)), re.DOTALL)


def refusal_text(text: str, words: Words) -> str | None:
    """The refusal in the page's language; None for a sentence that is not of these tables."""
    for sentence in REFUSALS:
        if found := _pattern(sentence).fullmatch(text):
            return words.t(sentence) % found.groupdict() if found.groupdict() else words.t(sentence)
    return None
