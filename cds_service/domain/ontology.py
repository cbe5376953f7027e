"""The Human Phenotype Ontology as arrays: terms in rows, parents before children, and every term's ancestors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]

HPO = "http://human-phenotype-ontology.org"
PHENOTYPIC_ABNORMALITY = "HP:0000118"
"""What lies below this term is a finding; the rest of HPO is inheritance, onset, frequency and the like."""


@dataclass(frozen=True, slots=True, eq=False)
class Ontology:
    """Terms by row, each with its `parents`; `rows` finds one by its id, an alternative or replaced id included.

    The ancestors of row `t`, itself included, are `ancestors[starts[t] : starts[t + 1]]`, `steps` the fewest is-a
    steps up to each; `descendants` with `below` is the same relation read downwards. `is_finding` marks terms below
    phenotypic abnormality.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    rows: Mapping[str, int]
    parents: tuple[tuple[int, ...], ...]
    starts: Ints
    ancestors: Ints
    steps: Ints
    descendants: Ints
    below: Ints
    is_finding: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many terms there are."""
        return len(self.ids)

    def ancestors_of(self, row: int) -> Ints:
        """Rows of the term and of all above it."""
        return self.ancestors[self.starts[row] : self.starts[row + 1]]

    def steps_to(self, row: int) -> Ints:
        """Steps up to each of `ancestors_of(row)`."""
        return self.steps[self.starts[row] : self.starts[row + 1]]

    def ancestors_of_all(self, rows: Ints) -> tuple[Ints, Ints]:
        """The ancestors of each of the rows one after another, and how many each has."""
        sizes = self.starts[rows + 1] - self.starts[rows]
        offsets = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.ancestors[np.repeat(self.starts[rows], sizes) + offsets], sizes

    def descendants_of(self, row: int) -> Ints:
        """Rows of the term and of all below it."""
        return self.descendants[self.below[row] : self.below[row + 1]]


def build_ontology(
    ids: Sequence[str], names: Sequence[str], parents: Sequence[Sequence[int]], alternatives: Mapping[str, int]
) -> Ontology:
    """The ontology of terms whose parents' rows are smaller than their own; the root, row 0, has none."""
    starts, ancestors, steps = _closure(parents)
    rows = {**alternatives, **{term: row for row, term in enumerate(ids)}}
    above = tuple(map(tuple, parents))
    descendants = np.repeat(np.arange(len(ids)), np.diff(starts))[np.argsort(ancestors, kind="stable")]
    below = np.concatenate([[0], np.cumsum(np.bincount(ancestors, minlength=len(ids)))])
    top = rows[PHENOTYPIC_ABNORMALITY]
    is_finding = np.zeros(len(ids), bool)
    is_finding[descendants[below[top] : below[top + 1]]] = True
    is_finding[top] = False
    return Ontology(tuple(ids), tuple(names), rows, above, starts, ancestors, steps, descendants, below, is_finding)


def _closure(parents: Sequence[Sequence[int]]) -> tuple[Ints, Ints, Ints]:
    """Starts, ancestors and steps of every row, each from those of its parents."""
    found: list[tuple[Ints, Ints]] = []
    for row, above in enumerate(parents):
        found.append(_above(row, [found[parent] for parent in above]))
    starts = np.cumsum([0, *(len(ancestors) for ancestors, _ in found)])
    return starts, np.concatenate([rows for rows, _ in found]), np.concatenate([steps for _, steps in found])


def _above(row: int, parents: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Ancestors in ascending rows, the row itself last, with the fewest steps to each."""
    if not parents:
        return np.array([row]), np.array([0])
    if len(parents) == 1:
        rows, steps = parents[0]
        return np.append(rows, row), np.append(steps + 1, 0)
    rows = np.concatenate([ancestors for ancestors, _ in parents])
    steps = np.concatenate([steps for _, steps in parents])
    order = np.lexsort((steps, rows))
    rows, steps = rows[order], steps[order]
    first = np.append(True, rows[1:] != rows[:-1])
    return np.append(rows[first], row), np.append(steps[first] + 1, 0)
