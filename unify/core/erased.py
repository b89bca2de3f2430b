"""Records that are erased: known by salted hashes of their keys, so that nothing of them is kept to know them."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from unify.core.steps import Query

SEPARATOR: Final = "\x1f"
WORD: Final = r"[^\s,;|\"'{}\[\]:=]+"
"""What may be a key in a line that could not be read."""


@dataclass(frozen=True)
class Erased:
    """salt: hex, of the instance. hashes: entity → hashes of keys."""

    salt: str = ""
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def hash(self, entity: str, key: str) -> str:
        """What stands for a record.

        >>> Erased("00").hash("crm.Contacts", "C-1") == Erased("01").hash("crm.Contacts", "C-1")
        False
        """
        return hashlib.sha256(SEPARATOR.join((self.salt, entity, key)).encode()).hexdigest()

    def of(self, entity: str) -> frozenset[str]:
        """Hashes of an entity's erased records; empty when there are none."""
        return self.hashes.get(entity, frozenset())

    def named_in(self, entity: str, text: str) -> bool:
        """Whether a word of a text is the key of an erased record."""
        wanted = self.of(entity)
        return bool(wanted) and any(self.hash(entity, word) in wanted for word in re.findall(WORD, text))

    def stays(self, entity: str, key: str) -> Query:
        """SQL condition: the row with this key (SQL) is not erased."""
        test = f"sha256($erased_salt || chr(31) || $erased_entity || chr(31) || CAST({key} AS VARCHAR))"
        return Query(f"coalesce(NOT list_contains($erased_hashes, {test}), true)", self._params(entity))

    def stays_unread(self, entity: str, text: str) -> Query:
        """SQL condition: no word of a text (SQL) is the key of an erased record."""
        words = f"regexp_extract_all(coalesce({text}, ''), $erased_word)"
        test = "sha256($erased_salt || chr(31) || $erased_entity || chr(31) || x)"
        sql = f"NOT list_has_any(list_transform({words}, lambda x: {test}), $erased_hashes)"
        return Query(sql, {**self._params(entity), "erased_word": WORD})

    def _params(self, entity: str) -> dict[str, Any]:
        return {"erased_salt": self.salt, "erased_entity": entity, "erased_hashes": sorted(self.of(entity))}

    def entities(self) -> Iterator[str]:
        """Those with erased records."""
        return iter(sorted(self.hashes))

    def with_records(self, records: Mapping[str, Collection[str]]) -> "Erased":
        """The same and these records: entity → keys."""
        more = {e: frozenset(self.hash(e, key) for key in keys) for e, keys in records.items() if keys}
        return Erased(self.salt, {e: self.of(e) | more.get(e, frozenset()) for e in {*self.hashes, *more}})


NOBODY: Final = Erased()
