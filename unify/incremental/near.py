"""The rows of a rule's sides that a change is near to: those whose keys a changed record has, or had.

makes  near_keys                the keys: k0, k1, …
       near_left, near_right    rows of today with such a key, as `BoundRule.side` has them
       past_left, past_right    rows of the generation before, under its rids

What changed is a small table, so each side is read once. A row of today that did not change was the same then.
"""

from unify.conflation.rules import BoundRule
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.incremental.renumber import THEN
from unify.incremental.values import CAME, WENT, elsewhere

ROUNDS = 20
"""How often groups that hang together through records with several values are followed before all is made anew."""
TABLES = ("near_keys", "near_left", "near_right", "past_left", "past_right")


class Near:
    """Finds the rows of one rule; reads seeds_now, seeds_before (rid, side) and, where there are any, flips (now)."""

    def __init__(self, engine: DuckDBEngine, bound: BoundRule) -> None:
        self.engine, self.bound = engine, bound
        self.keys = ", ".join(bound.keys)
        self.sides = ("left",) if bound.one_table and not bound.crosswise else ("left", "right")
        self.came, self.went = elsewhere(bound, bound.number, CAME), elsewhere(bound, bound.number, WENT)

    @property
    def right(self) -> tuple[str, str]:
        """Names of the right side, of today and of then."""
        return ("near_right", "past_right") if "right" in self.sides else ("near_left", "past_left")

    def find(self, flips: bool, matched: str, matched_before: str) -> bool:
        """Make the tables; False when following groups does not come to an end.

        matched, matched_before   SELECTs of rids that earlier rules matched; empty: there are none
        """
        self._make("near_keys", f"SELECT DISTINCT {self.keys} FROM ({' UNION ALL '.join(self._seeded(flips))})")
        bound = self.bound
        follows = (bound.exploded or (bound.one_table and bound.crosswise)) and not bound.fuzzy
        for _ in range(ROUNDS):
            self._rows()
            if not (follows and self._follow()):
                break
        else:
            return False
        for table, leave in (("near_left", matched), ("past_left", matched_before)):
            if leave:
                self._make(table, f"SELECT * FROM {table} ANTI JOIN ({leave}) AS matched USING (rid)")
        return True

    def _make(self, name: str, sql: str) -> None:
        self.engine.build(Step(name, Query(sql), "what a change is near to"))

    def _seeded(self, flips: bool) -> list[str]:
        """SELECTs of the keys of all seeds."""
        found = []
        for rule, seeds in ((self.came, "seeds_now"), (self.went, "seeds_before")):
            for which in self.sides:
                own = "left" if self.bound.one_table else which
                found += self._keys_of(rule, which, f"(SELECT rid FROM {seeds} WHERE side = '{own}')")
        if flips:
            found += self._keys_of(self.bound, "left", "(SELECT now AS rid FROM flips)")
        return found

    def _keys_of(self, rule: BoundRule, which: str, rids: str) -> list[str]:
        return [f"SELECT {self.keys} FROM ({p}) SEMI JOIN {rids} AS s USING (rid)" for p in rule.side_parts(which)]

    def _rows(self) -> None:
        for which in self.sides:
            near, went = (
                " UNION ".join(
                    f"SELECT * FROM ({part}) SEMI JOIN near_keys USING ({self.keys})" for part in rule.side_parts(which)
                )
                for rule in (self.bound, self.went)
            )
            self._make(f"near_{which}", near)
            stayed = f"SELECT {THEN}(rid) AS rid, * EXCLUDE (rid) FROM near_{which} ANTI JOIN changed_now USING (rid)"
            self._make(f"past_{which}", f"{stayed} UNION ALL ({went})")

    def _follow(self) -> bool:
        """Add all keys of the records that are near; whether there were more."""
        more = []
        for which in self.sides:
            own = self.sides if self.bound.one_table else (which,)
            near = " UNION ".join(f"SELECT rid FROM near_{side}" for side in own)
            past = " UNION ".join(f"SELECT rid FROM past_{side}" for side in own)
            more += self._keys_of(self.bound, which, f"({near})") + self._keys_of(self.went, which, f"({past})")
        before = self._count()
        self._make("near_keys", f"SELECT DISTINCT {self.keys} FROM ({' UNION ALL '.join(more)}) UNION FROM near_keys")
        return self._count() > before

    def _count(self) -> int:
        return int(self.engine.fetch(Query("SELECT count(*) FROM near_keys")).column(0)[0].as_py())
