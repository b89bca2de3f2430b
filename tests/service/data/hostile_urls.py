"""Hostile OData addresses by the thousand, over the names of a real instance; the seed decides them, and nothing else."""

import random
from collections.abc import Iterator, Sequence
from urllib.parse import quote

VALID = (
    "Customer?$filter=City eq 'O''Neil' and RewardPoints gt 30&$top=5&$skip=10&$count=true",
    "Customer('0e6d056b70a14fa361904615dbfc7db1')/UnifiedActivity/$count?$filter=contains(Title,'a')",
    "Customer?$filter=UnifiedActivity/any(o:o/ActivityTime gt 2024-01-01T00:00:00Z)&$orderby=FullName desc,City&$top=3",
    "Customer?$select=FullName,City&$expand=UnifiedActivity($filter=Title ne null;$top=2;$select=Title),Customer_Measure&$top=2",
    "Customer?$filter=City in ('Eastwick','Köln') or contains(tolower(EMail),'@x')&$top=1",
    "Customer?$search=(blue AND NOT \"dark green\") OR red%3Bdish&$compute=RewardPoints mul 2 as Twice,year(DateOfBirth) as Y&$top=2",
    "web_Orders?$apply=filter(Total gt 3)/groupby((Status,rollup(Status,Total)),aggregate(Total with sum as T,$count as N))/topcount(2,T)",
    "Customer?$apply=groupby((City),aggregate($count as N))&$orderby=N desc&$top=3",
    "Customer?$filter=DateOfBirth lt 1999-12-31 and RewardPoints add 1 gt 2 mul -3.5 or length(FullName) divby 2 gt 1e3&$top=1",
    "Customer?$filter=case(RewardPoints gt 18:'adult',true:'child') eq 'adult' and UnifiedActivity/$count($filter=Title ne 'x') gt 2&$top=1",
    "Customer?$filter=IsMemberOfSegment('big_spenders') and not IsMemberOfSegment('unhappy')&$top=1&$select=City",
    "big_spenders?$select=FullName&$top=1&$orderby=substring(FullName,1,2)",
    "Customer/$filter(@foo)/$ref?@foo=RewardPoints gt 3&$top=1",
    "Customer(crm_Contacts_ContactId='C-1081')/loyalty_Members?$format=json",
    "crm_Contacts('C-1081')/Customer/City/$value",
    "Customer?$filter=concat(City,FullName) eq matchesPattern(City,'^(a+)+$') or round(RewardPoints div 0) eq null&$top=1",
    "$metadata?$format=json", "", "$entity?$id=Customer('x')", "$batch", "$all", "$crossjoin(Customer,web_Orders)",
)  # fmt: skip
NAMES = (
    "allow_email", "nullable", "trueflag", "andy", "notes", "inbox", "orders", "eqx", "nowhere", "anyone", "allx", "divbyx", "hasx", "descx",
    "ascend", "geographyx", "durationx", "binaryx", "INFx", "NaNx", "datex", "City", "FullName", "RewardPoints", "DateOfBirth", "UnifiedActivity",
)  # fmt: skip
ODD = (
    "\x00", "'", '"', "(", ")", "%", "%2", "%zz", "%ff", "%00", "%27", "%28", "%2F", "%252F", "%ED%A0%80", "&", "=", "#", "?", "/", "\\", "\n", "\t",
    "\u202e", "é", "\U0001f600", "e\u0301", "²", "\ufeff", "@", "$", "$filter=", ";", ",", ":", "[", "]", "{", "}", "+", "-", ".", "..", "null", "not ",
    " and ", "$it/", "any(", "1e999", "9" * 400, "-9223372036854775808", "0" * 50 + ".1", "''", "geography'", "a" * 200, "/" * 30, "--", "/*",
    "' or 1=1 --", "\x7f", "\x1b[31m", "1e308 mul 10", "0001-01-01", "9999-12-31T23:59:59Z", "duration'P999999999D'", "$skiptoken=abc", "IsMemberOfSegment(",
)  # fmt: skip
DEEP = (
    ("Customer?$filter=", "(", "City eq 'a'", ")"), ("Customer?$filter=", "not ", "(City eq 'a')", ""), ("Customer?$filter=", "-", "RewardPoints eq 1", ""),
    ("Customer?$filter=", "length(", "City", ") eq 1"), ("Customer?$filter=", "tolower(", "City", ")"), ("Customer?$filter=City in ", "[", "1", "]"),
    ("Customer?$filter=", "UnifiedActivity/any(a:", "a/Title eq 'x'", ")"), ("Customer?$expand=", "UnifiedActivity($expand=Customer($expand=", "UnifiedActivity", "))"),
    ("Customer?$expand=", "UnifiedActivity($expand=", "Customer", ")"), ("Customer?$search=", "(", "a", ")"), ("Customer?$search=", "NOT ", "a", ""),
    ("Customer?$apply=", "concat(identity,", "identity", ")"), ("Customer?$apply=", "identity/", "identity", ""), ("Customer", "/Customer", "", ""),
    ("Customer?$filter=", "case(true:", "1", ") eq 1"), ("Customer?$filter=", "cast(", "City", ",Edm.String) eq 'a'"), ("Customer?$filter=", "1 add (", "1", ")"),
)  # fmt: skip
LONG = (
    ("Customer?$filter=RewardPoints eq 1", " or RewardPoints eq 1"), ("Customer?$filter=City eq 'a'", " and City ne 'b'"), ("Customer?$select=City", ",FullName"),
    ("Customer?$orderby=City", ",FullName desc"), ("Customer?$search=a", " b"), ("Customer?$filter=City in ('a'", ",'a'"), ("Customer", "/x"), ("Customer", "(1)"),
    ("Customer?$filter='", "''"), ("Customer?$filter=RewardPoints", " add 1"), ("Customer?$top=1", "&$top=1"), ("Customer?$top=1", "&@a=1"), ("Customer?$filter=", "%27"),
    ("Customer?$expand=UnifiedActivity", ",UnifiedActivity"), ("Customer?$compute=RewardPoints add 1 as A", ",RewardPoints add 1 as A"), ("Customer?$filter=not", " not"),
)  # fmt: skip


def urls(count: int, seed: int) -> Iterator[str]:
    """`count` addresses behind a service root: valid ones mutated and spliced, things nested and repeated, noise."""
    chance = random.Random(seed)
    for i in range(count):
        kind = i % 10
        if kind < 6:
            yield _mutated(chance)
        elif kind == 6:
            yield _deep(chance)
        elif kind == 7:
            yield _long(chance)
        elif kind == 8:
            yield _named(chance)
        else:
            yield "".join(
                chance.choice(ODD) if chance.random() < 0.5 else chr(chance.randrange(32, 0x2FF))
                for _ in range(chance.randrange(60))
            )


def encoded(url: str, chance: random.Random) -> bytes:
    """As a client would send it: everything, nothing that needs none, or all but what is broken on purpose."""
    safe = chance.choice(("", "/?$&=()',:;@!*+%", "/?$&=()',:;@!*+%"))
    return quote(url, safe=safe).encode()


def _mutated(chance: random.Random) -> str:
    text = chance.choice(VALID)
    for _ in range(chance.randrange(1, 5)):
        at, other = chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)
        what = chance.randrange(7)
        if what == 0:
            text = text[:at] + text[at + chance.randrange(1, 6) :]
        elif what == 1:
            text = text[:at] + chance.choice(ODD) + text[at:]
        elif what == 2:
            low, high = min(at, other), max(at, other)
            text = text[:low] + text[high:] + text[low:high]
        elif what == 3:
            text = text[:at] + chance.choice(VALID)[chance.randrange(40) :]
        elif what == 4:
            text = text[:at] + text[at : at + 1].swapcase() + text[at + 1 :]
        else:
            text = _word_changed(text, chance)
    return text


def _word_changed(text: str, chance: random.Random) -> str:
    words: Sequence[str] = text.split(" ")
    at = chance.randrange(len(words))
    return " ".join((*words[:at], chance.choice((*NAMES, *ODD)), *words[at + 1 :]))


def _deep(chance: random.Random) -> str:
    start, before, core, after = chance.choice(DEEP)
    times = chance.choice((2, 5, 6, 20, 49, 51, 100, 500, 1000))
    return start + before * times + core + (after * times if chance.random() < 0.7 else "")


def _long(chance: random.Random) -> str:
    start, piece = chance.choice(LONG)
    return start + piece * chance.choice((3, 30, 100, 499, 501, 1000, 5000))


def _named(chance: random.Random) -> str:
    a, b = chance.choice(NAMES), chance.choice(NAMES)
    operator = chance.choice(("eq", "ne", "gt", "in", "has", "and", "add", "contains", "EQ", "Eq"))
    value = chance.choice(
        ("true", "null", "1", "'x'", b, f"({b})", "2024-01-01", "INF", "NaN", "-INF", "0.5", "duration'PT1S'")
    )
    option = chance.choice(("$filter", "filter", "%24filter", "$FILTER", "$orderby", "$compute", "@x"))
    return f"Customer?{option}={a} {operator} {value}&$top=1"
