"""What a scored rule compares: per comparison the distinct values, and every record as a code into them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Levels = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NONE = -1
"""Code of no value, and level of a comparison in which a side has none."""


@dataclass(frozen=True)
class Compared:
    """The values of one comparison.

    name      for people: the columns
    texts     distinct values, in order of code points
    codes     records × columns: the place of each value in `texts`; NONE where there is no value
    counts    per text, the records that hold it
    filled    records that hold any value
    cuts      similarities, 0 to 1 ascending, at which a new level begins; equality is one more level
    terms     whether equal values weigh by how rare they are
    wordy     most values have letters, so that what begins alike counts as more alike
    """

    name: str
    texts: npt.NDArray[np.object_]
    codes: Codes
    counts: Ints
    filled: int
    cuts: tuple[float, ...]
    terms: bool
    wordy: bool

    @property
    def levels(self) -> int:
        """How many levels there are: the lowest, one per cut, and equality."""
        return len(self.cuts) + 2


def compared(
    name: str, columns: Sequence[pa.ChunkedArray | pa.Array], cuts: tuple[float, ...], terms: bool
) -> Compared:
    """Code text columns of one length over one dictionary; the order of rows does not change the dictionary."""
    arrays = [c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in columns]
    arrays = [a.cast(pa.string()) for a in arrays]
    distinct = pc.unique(pa.chunked_array(arrays, pa.string())).drop_null()
    distinct = distinct.take(pc.sort_indices(distinct))
    placed = [pc.fill_null(pc.index_in(a, value_set=distinct), NONE).to_numpy(zero_copy_only=False) for a in arrays]
    codes = np.stack(placed, axis=1).astype(np.int32)
    texts = np.empty(len(distinct), dtype=object)
    texts[:] = distinct.to_pylist()
    holders, filled = _holders(codes, len(distinct)), int((codes >= 0).any(axis=1).sum())
    return Compared(name, texts, codes, holders, filled, cuts, terms, _wordy(texts))


def _wordy(texts: npt.NDArray[np.object_]) -> bool:
    """Whether most of a thousand values, evenly spread, have a letter."""
    sample = texts[:: max(1, len(texts) // 1000)]
    return 2 * sum(any(map(str.isalpha, text)) for text in sample) > len(sample)


def _holders(codes: Codes, texts: int) -> Ints:
    """Records per text; a record that holds a text in two columns counts once."""
    if codes.shape[1] == 1:
        return np.bincount(codes[codes >= 0], minlength=texts).astype(np.int64)
    rows = np.repeat(np.arange(len(codes), dtype=np.int64), codes.shape[1])
    held = np.unique((rows * max(texts, 1) + codes.ravel())[codes.ravel() >= 0])
    return np.bincount(held % max(texts, 1), minlength=texts).astype(np.int64)
