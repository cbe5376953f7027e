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
    steps up to each. `levels` are the rows below the root by depth, each with the parents of all of them and where
    each row's parents begin. `is_finding` marks terms below phenotypic abnormality.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    rows: Mapping[str, int]
    parents: tuple[tuple[int, ...], ...]
    starts: Ints
    ancestors: Ints
    steps: Ints
    levels: tuple[tuple[Ints, Ints, Ints], ...]
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

    def inherited_maximum(self, values: Floats) -> Floats:
        """For each term the largest of the values of itself and its ancestors, shape (terms,)."""
        largest = values.copy()
        for rows, parents, starts in self.levels:
            largest[rows] = np.maximum(largest[rows], np.maximum.reduceat(largest[parents], starts))
        return largest


def build_ontology(
    ids: Sequence[str], names: Sequence[str], parents: Sequence[Sequence[int]], alternatives: Mapping[str, int]
) -> Ontology:
    """The ontology of terms whose parents' rows are smaller than their own; the root, row 0, has none."""
    depths = _depths(parents)
    levels = tuple(_level(np.flatnonzero(depths == depth), parents) for depth in range(1, int(depths.max()) + 1))
    starts, ancestors, steps = _closure(len(ids), levels)
    rows = {**alternatives, **{term: row for row, term in enumerate(ids)}}
    top = rows[PHENOTYPIC_ABNORMALITY]
    is_finding = np.zeros(len(ids), bool)
    is_finding[np.repeat(np.arange(len(ids)), np.diff(starts))[(ancestors == top) & (steps > 0)]] = True
    above = tuple(map(tuple, parents))
    return Ontology(tuple(ids), tuple(names), rows, above, starts, ancestors, steps, levels, is_finding)


def _depths(parents: Sequence[Sequence[int]]) -> Ints:
    """The longest way up to the root of each row."""
    depths = np.zeros(len(parents), np.int64)
    for row, above in enumerate(parents):
        if above:
            depths[row] = 1 + max(depths[parent] for parent in above)
    return depths


def _level(rows: Ints, parents: Sequence[Sequence[int]]) -> tuple[Ints, Ints, Ints]:
    above = [parents[row] for row in rows]
    counts = np.array([len(one) for one in above])
    return rows, np.array([parent for one in above for parent in one]), np.cumsum(counts) - counts


def _closure(n_terms: int, levels: Sequence[tuple[Ints, Ints, Ints]]) -> tuple[Ints, Ints, Ints]:
    """Starts, ancestors and steps of every row, worked out a level at a time."""
    sizes = np.ones(n_terms, np.int64)
    found: dict[int, tuple[Ints, Ints]] = {0: (np.array([0]), np.array([0]))}
    for rows, parents, begins in levels:
        ends = [*begins[1:], len(parents)]
        for row, begin, end in zip(rows.tolist(), begins.tolist(), ends, strict=True):
            found[row] = _above(row, [found[parent] for parent in parents[begin:end].tolist()])
            sizes[row] = len(found[row][0])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    ordered = [found[row] for row in range(n_terms)]
    return starts, np.concatenate([a for a, _ in ordered]), np.concatenate([s for _, s in ordered])


def _above(row: int, parents: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Ancestors in ascending rows, the row itself last, with the fewest steps to each."""
    if len(parents) == 1:
        rows, steps = parents[0]
        return np.append(rows, row), np.append(steps + 1, 0)
    rows = np.concatenate([ancestors for ancestors, _ in parents])
    steps = np.concatenate([steps for _, steps in parents])
    order = np.lexsort((steps, rows))
    rows, steps = rows[order], steps[order]
    first = np.append(True, rows[1:] != rows[:-1])
    return np.append(rows[first], row), np.append(steps[first] + 1, 0)
