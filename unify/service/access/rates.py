"""How much a key may still ask: one file that all workers of a service have in their memory, 24 bytes a key.

    [ when the next request would be on time | day | rows of that day ]

The rate is a leaky bucket (GCRA): one number a key, read and written under a lock on its own 24 bytes, 3 µs. A file
that is lost or torn by a power cut forgets what was asked today; nothing else hangs on it.
"""

import fcntl
import math
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SLOT: Final = struct.Struct("<dqq")
ROOM: Final = 1024
"""Keys by which the file grows."""
DAY_S: Final = 86_400


class Rates:
    """Of one process; every process of the service sees the same."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = os.open(folder / "rates.bin", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._map: mmap.mmap | None = None

    def wait(self, number: int, rate: float, burst: int | None) -> float:
        """Take one request of a key: 0.0 when it is granted, else the seconds until one would be."""
        now, apart = self._clock(), 1 / rate
        slack = apart * ((burst or math.ceil(rate)) - 1)
        with self._locked(number) as at:
            due, day, rows = SLOT.unpack_from(self._memory, at)
            if not now < due <= now + slack + 2 * apart:  # long ago; or the clock was set back
                due = now
            early = due - now - slack
            if early > 1e-9:
                return float(early)
            SLOT.pack_into(self._memory, at, due + apart, day, rows)
        return 0.0

    def rows_today(self, number: int) -> int:
        """How many rows a key was answered with since midnight, UTC."""
        at = self._place(number)
        _, day, rows = SLOT.unpack_from(self._memory, at)
        return int(rows) if day == self._today else 0

    def spend(self, number: int, rows: int) -> None:
        """Add rows that a key was answered with."""
        with self._locked(number) as at:
            due, day, spent = SLOT.unpack_from(self._memory, at)
            SLOT.pack_into(self._memory, at, due, self._today, (spent if day == self._today else 0) + rows)

    def seconds_of_day_left(self) -> int:
        """Until the budgets begin anew."""
        return DAY_S - int(self._clock()) % DAY_S

    @property
    def _today(self) -> int:
        return int(self._clock()) // DAY_S

    @property
    def _memory(self) -> mmap.mmap:
        assert self._map is not None
        return self._map

    def _place(self, number: int) -> int:
        at = number * SLOT.size
        if self._map is None or at + SLOT.size > len(self._map):
            size = (number // ROOM + 1) * ROOM * SLOT.size
            if os.fstat(self._file).st_size < size:
                os.ftruncate(self._file, size)
            self._map = mmap.mmap(self._file, size)
        return at

    @contextmanager
    def _locked(self, number: int) -> Iterator[int]:
        at = self._place(number)
        fcntl.lockf(self._file, fcntl.LOCK_EX, SLOT.size, at)
        try:
            yield at
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, SLOT.size, at)

    def close(self) -> None:
        """Let go of the file."""
        if self._map is not None:
            self._map.close()
            self._map = None
        os.close(self._file)
