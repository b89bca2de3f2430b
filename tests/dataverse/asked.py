"""What tests of writes ask again and again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from unify.dataverse.errors import DataverseError
from unify.dataverse.writes import Writes

NOBODY = "00000000-0000-0000-0000-00000000000f"
NOW = datetime(2026, 5, 17, 9, 30, 15, 999_999, UTC)


def row(writes: Writes, table: str, id_: str) -> dict[str, Any]:
    found = writes.writing.get(table, [id_])
    assert found is not None
    return dict(found.values)


@contextmanager
def refused(code: str, status: int, words: str | None = None) -> Iterator[None]:
    with pytest.raises(DataverseError, match=words) as caught:
        yield
    assert (caught.value.code, caught.value.status) == (code, status)
