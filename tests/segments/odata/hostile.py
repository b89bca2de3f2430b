"""Questions gone wrong, by the thousand: the seed decides them, and nothing else."""

import random
from collections.abc import Iterator

VALID = (
    "Customer?$filter=Name eq 'O''Neil' and Age gt 30&$top=5&$skip=10&$count=true",
    "Customer('4%2F7')/Orders(OrderID=1,ItemID='a')/$count?$filter=Amount gt 5.00",
    "Customer?$filter=Orders/any(o:o/Amount gt 1e3 and o/Lines/all(l:l/Price mul 2 lt -3.5))&$orderby=Name desc,Age",
    "Customer?$select=Name,Address($select=Street;$top=2),Model.*&$expand=Orders($filter=a eq 1;$search=x OR \"y z\";$levels=max)",
    "Customer?$filter=City in ('Paris','Köln') or contains(tolower(EMail),'@x')&IsMemberOfSegment('Vip')",
    "Customer?$search=(blue AND NOT \"dark green\") OR red%3Bdish&$compute=Price mul 2 as Twice,year(Born) as Y",
    "Orders?$apply=filter(Amount gt 3)/groupby((Customer/Country,rollup(Year,Month)),aggregate(Amount with sum as T,$count as N))/topcount(2,T)",
    "Customer?$filter=Born lt 1999-12-31 and Seen ge 2024-02-29T23:59:60.5%2B01:00 and Id eq 01234567-89ab-cdef-0123-456789abcdef",
    "Customer?$filter=Shape eq geography'SRID=4326;Polygon((1 1,2 2,3 3,1 1))' and D eq duration'P1DT2H' and B eq binary'Zm8='",
    "Customer?$filter=Style has Sales.Pattern'Yellow,Solid' and isof(Model.Vip) and cast(Age,Edm.String) ne null&@p={\"a\":[1,\"b\"]}",
    "Customer/$filter(@foo)/$ref?@foo=Age gt 3&$format=json&$skiptoken=abc",
    "Orders?$apply=ancestors($root/Orgs,H,ID,search(East)/top(3),2,keep start)/concat(identity,nest(identity as A))",
    "Customer?$filter=case(Age gt 18:'adult',true:'child') eq 'adult' and Notes/$count($filter=Len gt 5;$search=a) gt 2",
    "Customer?$filter=IsMemberOfSegment(Vip) and Total sub -Discount divby 3 mod 2 eq INF",
)  # fmt: skip
ODD = [
    "\x00", "\ud800", "'", '"', "(", ")", "%", "%2", "%zz", "%ff", "%00", "%27", "%28", "&", "=", "#", "?", "/", "\\", "\n", "\t", "\u202e", "é",
    "\U0001f600", "e\u0301", "²", "\ufeff", "@", "$", "$filter=", ";", ",", ":", "[", "]", "{", "}", "+", "-", ".", "..", "null", "not ", " and ",
    "$it/", "any(", "1e999", "9" * 400, "0" * 50 + ".1", "''", "geography'", "a" * 200, "/" * 30, "%2F", "--", "/*", "' or 1=1 --", "\x7f", "\x1b[31m",
]  # fmt: skip
NESTED = (
    ("(", "A eq 1", ")"), ("not ", "A", ""), ("-", "A", ""), ("length(", "A", ")"), ("[", "1", "]"), ('{"a":', "1", "}"),
    ("A/any(a:", "A eq 1", ")"), ("A/$count($filter=", "A eq 1", ") gt 1"), ("A/$filter(", "A", ")"), ("f(x=", "1", ")"),
    ("case(true:", "1", ")"), ("cast(", "A", ",Edm.String)"), ("A in (", "1", ")"), ("1 add (", "1", ")"), ("A/aggregate(", "B", " with sum)"),
    ("A eq ", "1", ""), ("(A add ", "1", " add 1)"), ("((", "A", ") eq 1) eq 2"),
)  # fmt: skip
WRAPPED = (
    ("$expand=", "A($expand=", "A", ")"), ("$select=", "A($select=", "A", ")"), ("$search=", "(", "a", ")"), ("$search=", "NOT ", "a", ""),
    ("$apply=", "concat(identity,", "identity", ")"), ("$apply=", "nest(", "identity", " as A)"), ("$apply=", "groupby((A),", "identity", ")"),
    ("$search=", "a OR (b AND ", "c", ")"), ("$expand=", "A($filter=B/$count($search=", "a", ") gt 1)"),
)  # fmt: skip
LONG = (
    " or A eq 1", " and A eq 1", " add 1", " eq 1", ",1", "/A", "(1)", "''", "/any(a:a)", " in (1)", "'", "%27", "%2", "(", ")", "[", "A.", "\u0301",
    " AND a", ";$top=1", "&@a=1", "&$top=1", "&a", ",A($search=a;b)", ",A($search=a)", "$", "@", "0", "-", ":", "%F0%9F%98%80", "é", " ", "\t", "/%2F",
)  # fmt: skip


def strings(count: int, seed: int) -> Iterator[str]:
    """`count` strings: valid ones cut, mutated and spliced; things nested and repeated far too often; noise."""
    chance = random.Random(seed)
    for i in range(count):
        kind = i % 10
        if kind < 7:
            yield _mutated(chance)
        elif kind == 7:
            yield _deep(chance)
        elif kind == 8:
            yield _long(chance)
        else:
            yield "".join(
                chance.choice(ODD) if chance.random() < 0.5 else chr(chance.randrange(32, 0x2FF))
                for _ in range(chance.randrange(60))
            )


def _mutated(chance: random.Random) -> str:
    text = chance.choice(VALID)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(text) + 1)
        what = chance.randrange(6)
        if what == 0:
            text = text[:at]
        elif what == 1:
            text = text[:at] + text[at + chance.randrange(1, 6) :]
        elif what == 2:
            text = text[:at] + chance.choice(ODD) + text[at:]
        elif what == 3:
            other = chance.randrange(len(text) + 1)
            low, high = min(at, other), max(at, other)
            text = text[:low] + text[high:] + text[low:high]
        elif what == 4:
            text = text[:at] + chance.choice(VALID)[chance.randrange(40) :]
        else:
            text = text[:at] + text[at : at + 1].swapcase() + text[at + 1 :]
    return text


def _deep(chance: random.Random) -> str:
    times = chance.choice((5, 40, 49, 50, 51, 60, 100, 1000, 5000))
    closed = chance.random() < 0.7
    if chance.random() < 0.5:
        before, core, after = chance.choice(NESTED)
        return "Customer?$filter=" + before * times + core + (after * times if closed else "")
    option, before, core, after = chance.choice(WRAPPED)
    return "Customer?" + option + before * times + core + (after * times if closed else "")


def _long(chance: random.Random) -> str:
    piece = chance.choice(LONG)
    start = chance.choice(
        (
            "Customer?$filter=A eq 1",
            "Customer?$select=A",
            "Customer?$expand=A",
            "Customer?$search=a",
            "Customer?$filter=A in (1",
            "Customer",
            "Customer?$filter='",
            "Customer?$orderby=A",
            "Customer?$apply=identity",
        )
    )
    return start + piece * chance.choice((10, 100, 300, 1000, 32_000 // len(piece), 100_000 // len(piece)))
