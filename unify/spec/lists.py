"""Lists a user keeps: overrides and values with a meaning of their own. They are ingested as tables."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from unify.spec.base import Noun, one_or_many

VerdictKind = Literal["genuine", "shared", "junk"]
ListKind = Literal["always", "never", "bypass", "alias", "genuine", "shared", "junk"]
VERDICT_KINDS: tuple[VerdictKind, ...] = ("genuine", "shared", "junk")
"""Lists that overrule what was found out about values; the first wins where a value stands on two."""


class ValueList(Noun):
    """An override or value list, from a file or written in place.

    always, never   pairs of records; file columns Table1, Table1Key, Table2, Table2Key;
                    in place: `records: [[crm.Contacts, C-1, loyalty.Members, L-9], ...]`
    bypass          values that never match anything; file column Value; in place: `values: [...]`
    alias           pairs of values regarded as equal; file columns Value, Alias; in place: `pairs: [[Bill, William]]`
    genuine, shared, junk
                    values whose verdict is this one, whoever carries them (docs/junk-values.md); file column Value;
                    in place: `values: [...]`
    """

    kind: ListKind
    files: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = ()
    records: tuple[tuple[str, str, str, str], ...] = ()
    values: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @model_validator(mode="after")
    def _content_fits_the_kind(self) -> Self:
        place = {"always": "records", "never": "records", "alias": "pairs"}.get(self.kind, "values")
        for other in ("records", "values", "pairs"):
            if other != place and getattr(self, other):
                raise ValueError(f"a list of kind {self.kind} takes `{place}` or `files`, not `{other}`")
        if bool(self.files) == bool(getattr(self, place)):
            raise ValueError(f"a list of kind {self.kind} takes either `files` or `{place}`")
        return self
