"""The Human Phenotype Ontology as arrays: terms in rows, parents before children, and every term's ancestors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.texts import Keys, Texts

Ints: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.float32]

HPO = "http://human-phenotype-ontology.org"
PHENOTYPIC_ABNORMALITY = "HP:0000118"
"""What lies below this term is a finding; the rest of HPO is inheritance, onset, frequency and the like."""


@dataclass(frozen=True, slots=True, eq=False)
class Ontology:
    """Terms by row; `rows` finds one by its id, an alternative or replaced id included.

    Rows are kept in as few bytes as will do; where many are handed out it is as int64, which numpy indexes with as is.

    The ancestors of row `t`, itself included, are `ancestors[starts[t] : starts[t + 1]]`, `steps` the fewest is-a
    steps up to each; `descendants` with `below` is the same relation read downwards, `parents` with `parent_starts`
    the part of it that is one step. `is_finding` marks terms below phenotypic abnormality.
    """

    ids: Texts
    names: Texts
    rows: Mapping[str, int]
    starts: Ints
    ancestors: Ints
    steps: Ints
    descendants: Ints
    below: Ints
    parents: Ints
    parent_starts: Ints
    is_finding: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many terms there are."""
        return len(self.ids)

    def named(self, row: int) -> tuple[str, str]:
        """The id and the name of a term."""
        return self.ids[row], self.names[row]

    def name_of(self, term: str) -> str:
        """The name of a term by its id; empty for none of this ontology."""
        row = self.rows.get(term)
        return "" if row is None else self.names[row]

    def ancestors_of(self, row: int) -> Ints:
        """Rows of the term and of all above it."""
        return self.ancestors[self.starts[row] : self.starts[row + 1]]

    def steps_to(self, row: int) -> Ints:
        """Steps up to each of `ancestors_of(row)`."""
        return self.steps[self.starts[row] : self.starts[row + 1]]

    def parents_of(self, row: int) -> list[int]:
        """Rows of the terms right above it."""
        found: list[int] = self.parents[self.parent_starts[row] : self.parent_starts[row + 1]].tolist()
        return found

    def ancestors_of_all(self, rows: Ints) -> tuple[Ints, Ints]:
        """The ancestors of each of the rows one after another, and how many each has."""
        begins = self.starts[rows]
        sizes = self.starts[rows + 1] - begins
        offsets = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.ancestors[np.repeat(begins, sizes) + offsets].astype(np.int64), sizes

    def descendants_of(self, row: int) -> Ints:
        """Rows of the term and of all below it."""
        return self.descendants[self.below[row] : self.below[row + 1]].astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """How many ancestors each row has, the rows of them all one after another, and the fewest steps to each."""

    sizes: Ints
    ancestors: Ints
    steps: Ints


def ontology_of(ids: Texts, names: Texts, rows: Mapping[str, int], closure: Closure) -> Ontology:
    """The ontology of terms whose closure is known."""
    ancestors, steps = closure.ancestors, closure.steps
    starts = _starts(closure.sizes)
    below = _starts(np.bincount(ancestors, minlength=len(ids)))
    holders = np.repeat(np.arange(len(ids), dtype=ancestors.dtype), closure.sizes)
    descendants = holders[np.argsort(ancestors, kind="stable")]
    is_parent = steps == 1
    top = rows[PHENOTYPIC_ABNORMALITY]
    is_finding = np.zeros(len(ids), bool)
    is_finding[descendants[below[top] : below[top + 1]]] = True
    is_finding[top] = False
    return Ontology(
        ids=ids,
        names=names,
        rows=rows,
        starts=starts,
        ancestors=ancestors,
        steps=steps,
        descendants=descendants,
        below=below,
        parents=ancestors[is_parent],
        parent_starts=_starts(np.bincount(holders[is_parent], minlength=len(ids))),
        is_finding=is_finding,
    )


def build_ontology(
    ids: Sequence[str], names: Sequence[str], parents: Sequence[Sequence[int]], alternatives: Mapping[str, int]
) -> Ontology:
    """The ontology of terms whose parents' rows are smaller than their own; the root, row 0, has none."""
    rows = {**alternatives, **{term: row for row, term in enumerate(ids)}}
    return ontology_of(Texts.of(ids), Texts.of(names), Keys.of(rows), closure_of(parents))


def _starts(sizes: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def closure_of(parents: Sequence[Sequence[int]]) -> Closure:
    """Every row's ancestors, each from those of its parents."""
    found: list[tuple[Ints, Ints]] = []
    for row, above in enumerate(parents):
        found.append(_above(row, [found[parent] for parent in above]))
    return Closure(
        sizes=np.array([len(ancestors) for ancestors, _ in found], np.uint16),
        ancestors=np.concatenate([rows for rows, _ in found]).astype(np.uint16),
        steps=np.concatenate([steps for _, steps in found]).astype(np.uint8),
    )


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
