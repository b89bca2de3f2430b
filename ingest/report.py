"""What a load returns: every row accounted for."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """A column as it was loaded. `format`: the spellings or declared formats of a date column, else empty."""

    name: str
    type: str
    declared: bool
    format: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class FileReport:
    """A file that was read, with its size in bytes."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class LoadReport:
    """One entity's load.

    rows_in           rows in the files or the frame, header and empty lines aside
    rows_kept         rows of the entity's table
    rows_quarantined  rows of its corrupt table; `reasons` says how many for which reason
    rows_filtered     rows that the entity's filters left out
    rows_replaced     incremental only: rows that a later upsert or delete of their key replaced
    rows_of_deletes   incremental only: rows of delete files
    rows_added        of the rows in: rows that were written one by one and are in no file
    rows_changed      of the rows in: rows of the files that somebody changed one by one
    duplicates        of the quarantined: rows that shared a key with another
    """

    entity: str
    table: str
    rows_in: int
    rows_kept: int
    rows_quarantined: int
    rows_filtered: int
    duplicates: int
    seconds: float
    columns: tuple[ColumnReport, ...]
    files: tuple[FileReport, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    rows_replaced: int = 0
    rows_of_deletes: int = 0
    rows_added: int = 0
    rows_changed: int = 0

    def __post_init__(self) -> None:
        out = self.rows_kept + self.rows_quarantined + self.rows_filtered + self.rows_replaced + self.rows_of_deletes
        if self.rows_in != out or self.rows_quarantined != sum(self.reasons.values()):
            message = f"{self.entity}: {self.rows_in} rows came in, but {out} are accounted for: {self!r}"
            raise AssertionError(message)
