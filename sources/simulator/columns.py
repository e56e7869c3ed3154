"""Columns on disk: .npy files written piece by piece and read by mapping."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from sources.simulator.draw import Ints, Mask

_HEADER = 128


def _header(dtype: np.dtype[np.generic], length: int) -> bytes:
    """A version 1.0 header (NumPy, `numpy.lib.format`) of fixed size, so that it can be mended."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({length},), }}"
    body = text.ljust(_HEADER - 11).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


class Column:
    """One column that grows by appending; its length goes into the header on closing."""

    def __init__(self, path: Path, dtype: str) -> None:
        self._dtype: np.dtype[np.generic] = np.dtype(dtype).newbyteorder("<")
        self._length = 0
        self._file: BinaryIO = path.open("wb")
        self._file.write(_header(self._dtype, 0))

    def append(self, values: npt.NDArray[np.generic]) -> None:
        """Add values at the end, narrowed to the column's type."""
        self._file.write(np.ascontiguousarray(values.astype(self._dtype)).tobytes())
        self._length += len(values)

    def close(self) -> None:
        """Write the final length."""
        self._file.seek(0)
        self._file.write(_header(self._dtype, self._length))
        self._file.close()


class Writer:
    """The columns of a population being made, by name `table.column`."""

    def __init__(self, directory: Path, types: Mapping[str, str]) -> None:
        self._types = types
        self._columns = {
            name: Column(directory / f"{name}.npy", dtype) for name, dtype in types.items()
        }

    def append(self, table: str, values: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Add a block to the columns of a table."""
        for name, part in values.items():
            self._columns[f"{table}.{name}"].append(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for column in self._columns.values():
            column.close()


def pack(mask: list[Mask], slots: list[dict[str, Ints]]) -> tuple[Ints, dict[str, Ints]]:
    """Turn slots (the k-th entry of every person's list) into a list table.

    Gives the number of entries for each person and the entries' columns, person by person.
    """
    held = np.stack(mask, axis=1)
    columns = {name: np.stack([slot[name] for slot in slots], axis=1)[held] for name in slots[0]}
    return held.sum(axis=1, dtype=np.int64), columns


def read_column(directory: Path, name: str) -> Ints:
    """Map a column of the directory; what is indexed out of it is then cast by the reader."""
    column: Ints = np.load(directory / f"{name}.npy", mmap_mode="r")
    return column
