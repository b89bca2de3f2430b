"""Questions that memory cannot answer: a bounded pool of threads, each question with a time limit.

A question is interrupted when its time is over, and when nobody waits for it any more.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from unify.instance import Instance
from unify.service.access.restricted import Seen
from unify.service.errors import ServiceError
from unify.store import Store

T = TypeVar("T")
_What = tuple[Store, Seen | None]
MOST_SEEN: Final = 32
"""Ways to see one instance that stay open; each holds an engine on its generation, a few MB."""
AGAIN_S: Final = 0.05
"""An interrupt that arrives between two statements is lost: it is sent again until the question has ended."""


@dataclass
class _Question:
    """One at work. `why`: set before it is interrupted."""

    instance: Instance | None = None
    why: ServiceError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def stop(self, why: ServiceError) -> None:
        if self.why is None:
            self.why = why
            threading.Thread(target=self._interrupt, daemon=True).start()

    def _interrupt(self) -> None:
        while not self.done.wait(AGAIN_S):
            if self.instance is not None:
                self.instance.interrupt()


class Pool:
    """Threads for the whole service; the instances that they ask stay open between questions.

    threads    questions at work at once
    waiting    further ones that may wait; one more is refused with 429
    seconds    a question may take, if it does not say otherwise
    memory     of DuckDB for each question, e.g. "512MiB"
    """

    def __init__(self, *, threads: int, waiting: int, seconds: float, memory: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="question")
        self._most, self._seconds, self._memory = threads + waiting, seconds, memory
        self._idle: dict[Store, dict[Seen | None, deque[Instance]]] = {}
        self._lock = threading.Lock()
        self.taken = 0
        """Questions at work or waiting."""

    async def ask(
        self, store: Store, work: Callable[[Instance], T], *, seconds: float | None = None, seen: Seen | None = None
    ) -> T:
        """What `work` gives on an instance that nobody else asks meanwhile; `seen`: by somebody who may not see all.

        ServiceError 429 when too many wait, 400 when it takes longer than the limit. When the caller is cancelled (its
        client went away), the question is interrupted. Everything that `work` raises comes through.
        """
        if self.taken >= self._most:
            raise ServiceError(
                429,
                f"{self.taken} questions are at work or waiting already",
                hint="ask again in a second",
                headers={"Retry-After": "1"},
            )
        limit = self._seconds if seconds is None else seconds
        question = _Question()
        self.taken += 1
        future = asyncio.get_running_loop().run_in_executor(
            self._executor, self._work, (store, seen), work, question, limit
        )
        future.add_done_callback(self._one_less)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            question.stop(ServiceError(499, "the client went away"))
            with contextlib.suppress(BaseException):
                future.add_done_callback(lambda f: f.cancelled() or f.exception())
            raise

    def _one_less(self, _: object) -> None:
        self.taken -= 1

    def _work(self, what: _What, work: Callable[[Instance], T], question: _Question, limit: float) -> T:
        if question.why is not None:
            raise question.why
        instance = self._borrow(what)
        question.instance = instance
        began = time.monotonic()
        timer = threading.Timer(limit, lambda: question.stop(_too_long(limit)))
        timer.daemon = True
        timer.start()
        try:
            return work(instance)
        except BaseException as error:
            if question.why is not None and not isinstance(error, ServiceError):
                raise question.why from None
            if isinstance(error, KeyboardInterrupt):  # nobody presses keys here: it is DuckDB's word for an interrupt
                raise _too_long(time.monotonic() - began) from None
            raise
        finally:
            timer.cancel()
            question.done.set()
            self._give_back(what, instance)

    def _borrow(self, what: _What) -> Instance:
        store, seen = what
        with self._lock:
            idle = self._idle.setdefault(store, {}).get(seen)
            if idle:
                return idle.pop()
        means: dict[str, Any] = {"memory_limit": self._memory, "threads": 1}
        return Instance(store, **means) if seen is None else seen.open(store, **means)

    def _give_back(self, what: _What, instance: Instance) -> None:
        store, seen = what
        gone = [instance]
        with self._lock:
            of_store = self._idle.get(store)
            if of_store is not None:
                of_store[seen] = of_store.pop(seen, deque())  # the last asked is the last to go
                of_store[seen].append(gone.pop())
                while len(of_store) > MOST_SEEN:
                    gone += of_store.pop(next(iter(of_store)))
        for each in gone:
            each.close()

    def forget(self, store: Store) -> None:
        """Close what is open of an instance: it is about to be removed."""
        with self._lock:
            idle = self._idle.pop(store, {})
        for each in idle.values():
            for instance in each:
                instance.close()

    def close(self) -> None:
        """After the questions at work have ended."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        for store in list(self._idle):
            self.forget(store)


def _too_long(seconds: float) -> ServiceError:
    return ServiceError(
        400,
        f"the question took longer than {seconds:g} seconds and was stopped",
        hint="narrow it with $filter, ask for fewer columns, or export the set as CSV",
        key="queryTimeout",
    )
