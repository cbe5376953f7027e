"""Rows of a dataset in memory, column by column, and the Parquet file they become: the same rows give the same bytes.

pyarrow is imported only by what is called to write or read a dataset, so that the service starts without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

_ROW_GROUP = 131_072  # rows; chosen by us: some tens of megabytes in memory


class DatasetRows:
    """The rows of one dataset, added some at a time. `types` gives text, bool or a numpy type for each column."""

    def __init__(self, types: Mapping[str, str]) -> None:
        import pyarrow

        kinds = {"text": pyarrow.string(), "bool": pyarrow.bool_()}
        self._arrow = pyarrow
        self._types = {name: kinds.get(kind) or pyarrow.from_numpy_dtype(kind) for name, kind in types.items()}
        self._parts: dict[str, list[Any]] = {name: [] for name in types}

    def add(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> None:
        """Add rows: a value of every column for each, None where there is none, NaN in columns of numbers."""
        for name, kind in self._types.items():
            if name in columns:
                self._parts[name].append(self._arrow.array(columns[name], type=kind))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self._chunked(next(iter(self._parts))))

    def column(self, name: str) -> NDArray[Any]:
        """All values of a column; numbers without a value are NaN."""
        values: NDArray[Any] = self._chunked(name).to_numpy()
        return values

    def write(self, path: Path, *, sort_by: str, columns: Sequence[str]) -> str:
        """Write these columns, sorted, and give the SHA-256 of the file."""
        from pyarrow import compute, parquet

        schema = self._arrow.schema([(name, self._types[name]) for name in columns])
        table = self._arrow.table({name: self._chunked(name) for name in columns}, schema=schema)
        order = compute.sort_indices(self._chunked(sort_by))
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for start in range(0, max(1, len(order)), _ROW_GROUP):
                writer.write_table(table.take(order.slice(start, _ROW_GROUP)))
        return file_sha256(path)

    def _chunked(self, name: str) -> Any:
        return self._arrow.chunked_array(self._parts[name], type=self._types[name])


def read_rows(path: Path) -> dict[str, list[Any]]:
    """The columns of a dataset's file, as Python values."""
    from pyarrow import parquet

    found: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
