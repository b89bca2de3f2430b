"""Packed files: named sections and a head of JSON, written once, mapped into memory by every process that reads them.

    sections, aligned │ head {facts, sections: name → [offset, bytes]} │ UNIFYHOT, format, length of the head

Mapped pages are shared: ten workers hold one copy. A file bears its name only when it is whole and on disk, and is
never changed afterwards; removing it leaves those who have it mapped undisturbed.
"""

import mmap
import os
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal, Self

import orjson

from unify.core.errors import StoreError
from unify.store.files import fsync

MAGIC: Final = b"UNIFYHOT"
FORMAT: Final = 2
"""Of what stands in the files. It is part of their names too: another release builds its own."""
ALIGN: Final = 64
"""Bytes: a cache line, and more than any number needs."""


class PackWriter:
    """Writes one file, in a `with`: it takes its name when the block ends well, and is gone when it does not."""

    def __init__(self, path: Path) -> None:
        self.path, self._new = path, path.with_name(f"{path.name}.{os.getpid()}.new")
        self._sections: dict[str, list[int]] = {}
        # what is in the file are customers: nobody else's to read
        self._file: IO[bytes] = os.fdopen(os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._at = 0

    def section(self, name: str, parts: Iterable[Any]) -> None:
        """Bytes (or what has a buffer of them), part behind part."""
        self._pad()
        begin = self._at
        for part in parts:
            view = memoryview(part).cast("B")
            self._file.write(view)
            self._at += view.nbytes
        self._sections[name] = [begin, self._at - begin]

    def finish(self, facts: Mapping[str, Any]) -> None:
        """The head, at the end of the file: what is known only now stands there too."""
        self._pad()
        head = orjson.dumps({"facts": facts, "sections": self._sections})
        self._file.write(head)
        self._file.write(MAGIC + FORMAT.to_bytes(4, "little") + len(head).to_bytes(8, "little"))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _pad(self) -> None:
        lacking = -self._at % ALIGN
        self._file.write(bytes(lacking))
        self._at += lacking

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is None:
            self._new.replace(self.path)
            fsync(self.path.parent)
        else:
            self._new.unlink(missing_ok=True)


TAIL: Final = len(MAGIC) + 4 + 8


class Pack:
    """A packed file, mapped. `facts`: what its head says. It is unmapped when nobody holds a section any more."""

    def __init__(self, path: Path) -> None:
        """FileNotFoundError when it is gone, StoreError when it is none of ours."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < TAIL:
                raise _foreign(path)
            self._map = memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
        tail = bytes(self._map[-TAIL:])
        length = int.from_bytes(tail[-8:], "little")
        if tail[:-8] != MAGIC + FORMAT.to_bytes(4, "little") or length > size - TAIL:
            raise _foreign(path)
        head = orjson.loads(self._map[-TAIL - length : -TAIL])
        self.facts: dict[str, Any] = head["facts"]
        self._sections: dict[str, list[int]] = head["sections"]

    def bytes(self, name: str) -> memoryview:
        """A section as it is."""
        begin, length = self._sections[name]
        return self._map[begin : begin + length]

    def numbers(self, name: str, code: Literal["Q", "I", "i"]) -> memoryview:
        """A section as numbers: `code` of the struct module (`Q`, `I`, `i`)."""
        found = self.bytes(name)
        return found.cast(code) if len(found) else memoryview(array(code))  # Python casts no empty view


def _foreign(path: Path) -> StoreError:
    return StoreError("this is no snapshot", where=str(path), hint="remove it: it is built anew when it is needed")
