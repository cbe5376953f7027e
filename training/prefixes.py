"""Compresses a full list of codes to the fewest prefixes that still answer every listed code alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

SHORTEST = 3


def shortest_prefixes(answers: Mapping[str, bool]) -> dict[str, bool]:
    """Prefix to answer, such that the longest prefix found for a listed code gives its own answer.

    Codes agree under a prefix of three characters (an ICD category) or more; exceptions keep longer entries.
    """
    rules: dict[str, bool] = {}
    by_prefix: dict[str, list[bool]] = defaultdict(list)
    for code, answer in answers.items():
        for length in range(SHORTEST, len(code) + 1):
            by_prefix[code[:length]].append(answer)
    for prefix in sorted(by_prefix, key=len):
        votes = by_prefix[prefix]
        answer = answers.get(prefix, 2 * sum(votes) > len(votes))
        if _inherited(rules, prefix) != answer:
            rules[prefix] = answer
    return rules


def _inherited(rules: Mapping[str, bool], prefix: str) -> bool | None:
    for length in range(len(prefix) - 1, SHORTEST - 1, -1):
        if prefix[:length] in rules:
            return rules[prefix[:length]]
    return None
