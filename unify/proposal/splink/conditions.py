"""The SQL of a comparison level: which columns it is about, and whether they are to be equal or how much alike.

    "city_l" = "city_r"                                     Equal(city)
    jaro_winkler_similarity("name_l", "name_r") >= 0.9      Alike(name, jaro_winkler, 0.9)
    levenshtein("street_l", "street_r") <= 2                Edits(street, levenshtein, 2)
    "city_l" IS NULL OR "city_r" IS NULL                    Missing(city)

Several of them may be joined by AND or OR. Anything else is not understood, and `reason` says what it seems to be.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

_TOKEN = re.compile(
    r"""\s*(?:
        "(?P<quoted>(?:[^"]|"")+)" | `(?P<ticked>[^`]+)` | '(?P<text>(?:[^']|'')*)'
      | (?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+) | (?P<word>[^\W\d]\w*) | (?P<sign><=|>=|<>|!=|==|::|->|\|\||\S)
    )""",
    re.VERBOSE,
)
SHARES = {
    **dict.fromkeys(("jaro_winkler_similarity", "jaro_winkler", "jaro_winkler_sim", "jarowinklersim"), "jaro_winkler"),
    **dict.fromkeys(("jaro_similarity", "jaro_sim", "jaro"), "jaro"),
    **dict.fromkeys(("jaccard", "jaccard_sim"), "jaccard"),
}
"""Functions of all dialects that give a similarity from 0 to 1."""
DISTANCES = {
    **dict.fromkeys(("levenshtein", "levenshtein_distance", "editdist3"), "levenshtein"),
    **dict.fromkeys(("damerau_levenshtein", "damerau_levenshtein_distance"), "damerau_levenshtein"),
    **dict.fromkeys(("hamming", "mismatches"), "hamming"),
}
"""Functions of all dialects that count edits."""
FOLDS = {"lower", "upper", "trim", "ltrim", "rtrim"}
"""What a scored rule does to values by itself: case and white space do not count."""
READS = {"strptime", "try_strptime", "to_date", "try_to_timestamp", "to_timestamp", "date_parse", "strftime"}
"""A value read as another type: equal dates that are written alike are equal texts."""
CASTS = {"cast", "try_cast"}
TEXTS = {"text", "varchar", "string", "char"}
UNREADABLE = "values that cannot be read"
OWN = "a condition of its own"
"""Reasons."""
MOST_BRACKETS = 50
"""Brackets in each other; more are no condition that anybody writes."""
_REASONS = (
    ("a distance on the globe", {"acos", "radians", "haversine"}),
    ("vectors", {"array_cosine_similarity", "list_cosine_similarity", "cosine_similarity"}),
    ("lists in one column", {"list_intersect", "array_intersect", "list_unique", "list_transform", "list_concat",
                             "list_contains", "array_length", "list_has_any", "array_size", "len"}),
    ("a part of the value", {"regexp_extract", "substr", "substring", "left", "right", "split_part", "regexp_replace"}),
    ("a difference of dates", {"date_diff", "datediff", "epoch", "unix_timestamp", "date_part", "months_between"}),
    ("how values sound", {"soundex", "metaphone", "dmetaphone", "double_metaphone", "nysiis"}),
    ("a difference of numbers", {"abs"}),
)  # fmt: skip
"""What a condition seems to be, by the functions in it; the first that fits."""


@dataclass(frozen=True)
class Equal:
    """Both sides of a column are equal."""

    column: str


@dataclass(frozen=True)
class Alike:
    """The similarity of a column is at least `share`, 0 to 1, as `measure` counts it."""

    column: str
    measure: str
    share: float


@dataclass(frozen=True)
class Edits:
    """At most so many edits lie between the sides of a column."""

    column: str
    measure: str
    most: float


@dataclass(frozen=True)
class Missing:
    """A side of a column has no value."""

    column: str


Term = Equal | Alike | Edits | Missing


@dataclass(frozen=True)
class Condition:
    """What a level asks: `terms`, all of them or any; none, and a `reason`, when it was not understood.

    rest   the level of all other pairs
    """

    terms: tuple[Term, ...] = ()
    reason: str = ""
    rest: bool = False

    @property
    def missing(self) -> bool:
        """Whether it is only about values that are not there."""
        return bool(self.terms) and all(isinstance(term, Missing) for term in self.terms)


class _NotUnderstoodError(Exception):
    """The condition is no such one; the text is the reason."""


@dataclass(frozen=True)
class _Side:
    """A column of one side, `l` or `r`; `read`: as another type, which not every value may be."""

    column: str
    side: str
    read: bool = False


@dataclass(frozen=True)
class _Call:
    """A similarity or distance of a column's two sides."""

    column: str
    measure: str
    counts_edits: bool


_Value = _Side | _Call | float | str
_Token = tuple[str, str]


def understand(sql: str) -> Condition:
    """What the condition of a level asks.

    >>> understand('"city_l" = "city_r"').terms
    (Equal(column='city'),)
    >>> understand('abs("age_l" - "age_r") < 2').reason
    'a difference of numbers'
    """
    if sql.strip().casefold() == "else":
        return Condition(rest=True)
    tokens = _tokens(sql)
    try:
        parser = _Parser(tokens)
        terms = parser.either()
        parser.end()
    except _NotUnderstoodError as error:
        return Condition(reason=str(error) or _reason(tokens))
    return Condition(terms=tuple(dict.fromkeys(terms)))


def _tokens(sql: str) -> list[_Token]:
    """Kind and text of every token; whatever is no SQL becomes signs that no grammar takes."""
    found = []
    for match in _TOKEN.finditer(sql.strip()):
        kind = str(match.lastgroup)
        text = match[kind]
        if kind in ("quoted", "ticked"):
            kind, text = "name", text.replace('""', '"') if kind == "quoted" else text
        elif kind == "text":
            text = text.replace("''", "'")
        found.append((kind, text))
    return found


def _reason(tokens: list[_Token]) -> str:
    words = {text.casefold() for kind, text in tokens if kind == "word"}
    return next((reason for reason, functions in _REASONS if functions & words), OWN)


@dataclass
class _Parser:
    """Recursive descent: either → both (OR both)*; both → one (AND one)*; one → ( either ) | value IS NULL | value sign
    value. A bracket is tried as one of conditions first, then as one of a value."""

    tokens: list[_Token]
    at: int = 0
    depth: int = 0

    def either(self) -> list[Term]:
        return self._joined("or", partial(self._joined, "and", self._one))

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise _NotUnderstoodError

    def _joined(self, word: str, part: Callable[[], list[Term]]) -> list[Term]:
        terms = part()
        while self._take(word):
            terms = terms + part()
        return terms

    def _one(self) -> list[Term]:
        before = self.at, self.depth
        if self._take("("):
            self._deeper()
            try:
                terms = self.either()
                self._need(")")
            except _NotUnderstoodError as error:
                if str(error):
                    raise
                self.at, self.depth = before  # the bracket belongs to a value
            else:
                self.depth = before[1]
                return terms
        return [self._comparison()]

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MOST_BRACKETS:
            raise _NotUnderstoodError(OWN)

    def _comparison(self) -> Term:
        left = self._value()
        if self._take("is"):
            self._need("null")
            if not isinstance(left, _Side):
                raise _NotUnderstoodError
            if left.read:
                raise _NotUnderstoodError(UNREADABLE)
            return Missing(left.column)
        sign = self._sign()
        right = self._value()
        if isinstance(right, _Call) and isinstance(left, float):
            left, right, sign = right, left, {">=": "<=", "<=": ">=", ">": "<", "<": ">"}.get(sign, sign)
        return _term(left, sign, right)

    def _value(self) -> _Value:
        if self._take("("):
            self._deeper()
            inner = self._value()
            self._need(")")
            self.depth -= 1
            return self._as_type(inner)
        if self.at >= len(self.tokens):
            raise _NotUnderstoodError
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return float(text)
        if kind == "text":
            return text
        if kind == "word" and self._take("("):
            return self._as_type(self._called(text.casefold()))
        if kind in ("word", "name"):
            return self._as_type(_side(text))
        raise _NotUnderstoodError

    def _called(self, name: str) -> _Value:
        self._deeper()
        values = [self._value()]
        self.depth -= 1
        if name in CASTS:
            self._need("as")
            cast = self._type(values[0])
            self._need(")")
            return cast
        while self._take(","):
            values.append(self._value())
        self._need(")")
        if name in SHARES | DISTANCES and len(values) == 2:
            return _call(name, *values)
        if name in FOLDS | READS and isinstance(values[0], _Side):
            return replace(values[0], read=values[0].read or name in READS)
        raise _NotUnderstoodError

    def _as_type(self, value: _Value) -> _Value:
        while self._take("::"):
            value = self._type(value)
        return value

    def _type(self, value: _Value) -> _Value:
        """The value as the type that stands next."""
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != "word":
            raise _NotUnderstoodError
        name = self.tokens[self.at][1].casefold()
        self.at += 1
        return replace(value, read=True) if isinstance(value, _Side) and name not in TEXTS else value

    def _sign(self) -> str:
        for sign in ("=", "==", ">=", "<=", ">", "<"):
            if self._take(sign):
                return "=" if sign == "==" else sign
        raise _NotUnderstoodError

    def _take(self, text: str) -> bool:
        here = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if here[0] in ("word", "sign") and here[1].casefold() == text:
            self.at += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise _NotUnderstoodError


def _side(name: str) -> _Side:
    column, _, side = name.rpartition("_")
    if not column or side not in ("l", "r"):
        raise _NotUnderstoodError
    return _Side(column, side)


def _call(name: str, left: _Value, right: _Value) -> _Call:
    if not (isinstance(left, _Side) and isinstance(right, _Side)):
        raise _NotUnderstoodError
    if left.column != right.column:
        raise _NotUnderstoodError(f"{left.column} of one record with {right.column} of the other")
    if left.side == right.side:
        raise _NotUnderstoodError
    return _Call(left.column, SHARES.get(name) or DISTANCES[name], name in DISTANCES)


def _term(left: _Value, sign: str, right: _Value) -> Term:
    if isinstance(left, _Side) and isinstance(right, _Side) and sign == "=":
        if left.column != right.column:
            raise _NotUnderstoodError(f"{left.column} of one record with {right.column} of the other")
        if left.side != right.side:
            return Equal(left.column)
    if isinstance(left, _Side) and sign == "=" and isinstance(right, (str, float)):
        raise _NotUnderstoodError("a certain value")
    if isinstance(left, _Call) and isinstance(right, float):
        if left.counts_edits and sign in ("<=", "<", "="):
            most = right - 1 if sign == "<" and right == int(right) else right
            return Edits(left.column, left.measure, most)
        if not left.counts_edits and sign in (">=", ">", "="):
            return Alike(left.column, left.measure, right)
    raise _NotUnderstoodError
