"""Trees of `$search`.

SearchTerm   Word · Phrase · Not · AllOf · AnyOf · Incomplete
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Word:
    """One word. Never empty; holds no space, parenthesis, double quote or semicolon, and no apostrophe in front."""

    text: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Phrase:
    """`"blue green"`, or a word with a character only a phrase can hold. Holds no double quote."""

    text: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """NOT blue."""

    term: "SearchTerm"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AllOf:
    """blue AND green, or blue green."""

    terms: "tuple[SearchTerm, ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """blue OR green."""

    terms: "tuple[SearchTerm, ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Incomplete:
    """`'"blue'`: what somebody has typed so far, for search as you type."""

    text: str
    at: int = field(default=0, compare=False, repr=False)


SearchTerm = Word | Phrase | Not | AllOf | AnyOf | Incomplete
