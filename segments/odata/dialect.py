"""Where readers of OData differ: one frozen value says which text is accepted. The trees are the same in all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """Switches of the parser. Every field is one observable difference; `docs/odata-grammar.md` has an example of each.

    any_case          operators, functions, option names and true/false in any case (4.01); else as written in 4.0
    null_any_case     NULL and Null are the literal null, not an attribute of that name
    dollar_optional   `filter=` means `$filter=` (4.01)
    plus_is_space     `+` in a query is a space, as HTML forms and Python's `requests` send it
    loose_space       no space needed where tokens part by themselves, `(a)or(b)`; spaces allowed around `,` and `=`
    slash_in_key      `Customer('a/b')` is one key, though OData wants `%2F` there
    key_segments      `Customer/4711` is `Customer('4711')`; the binder decides what the segment is
    segment_option    `&IsMemberOfSegment('S')` is an option of its own and narrows the filter
    dotted_sets       `crm.Contacts?…`: an entity set may be named as the entity is, with its source
    any_word          words of a search side by side: one that hits will do, as the vendor says; else all must (OData).
                      They bind tighter than AND then, and NOT among them stays a demand: `a b NOT c` is
                      (a OR b) AND NOT c
    repeats           a system query option may stand twice; the grammar says yes, the protocol says no
    custom_options    names of options that are not OData's and are passed on; None passes every name on
    """

    any_case: bool = True
    null_any_case: bool = False
    dollar_optional: bool = True
    plus_is_space: bool = False
    loose_space: bool = False
    slash_in_key: bool = False
    key_segments: bool = True
    segment_option: bool = False
    dotted_sets: bool = False
    any_word: bool = False
    repeats: bool = False
    custom_options: tuple[str, ...] | None = None


OASIS = Dialect(repeats=True)
"""The published grammar of OData 4.01, neither more nor less."""

STANDARD = Dialect(key_segments=False, plus_is_space=True, custom_options=())
"""What a service answers at its own root: 4.01, and 4.0 as a part of it. `+` is a space, since every HTTP library that
writes forms sends it so; who means a plus sends %2B. Options that nobody knows are refused, as the protocol asks."""

CUSTOMER_INSIGHTS = Dialect(
    null_any_case=True,
    plus_is_space=True,
    loose_space=True,
    slash_in_key=True,
    key_segments=False,
    segment_option=True,
    dotted_sets=True,
    any_word=True,
    custom_options=(),
)
"""What clients of Customer Insights send. An unknown option is refused: passing over `$fitler` would answer with
every customer."""
