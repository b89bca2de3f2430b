"""Phone numbers as digits, in SQL alone.

    drop a lettered extension ─ read a vanity number by the keypad ─ digits and a leading + ─ zeros in front dropped

Zeros in front never count: `+01…` is `+1…`, `0049…` is `+49…`, and a number that a spreadsheet robbed of its zero still
equals the whole one. Without a region the country code stays significant: `+1 555…` is not `555…` (reference §3.2).
With a region, numbers of that region lose country code and trunk prefix, and numbers that say they are of another
country keep a `+`, so that none of them can be taken for a number of the region.
"""

from functools import cache

from phonenumbers import PhoneMetadata
from phonenumbers.phonenumberutil import SUPPORTED_REGIONS

from unify.core.errors import SpecError, did_you_mean
from unify.core.names import literal

KEYPAD = ("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")

EXTENSION = r"^([^A-Za-z]*[0-9][^A-Za-z]*)[A-Za-z]+[^A-Za-z0-9]*[0-9]+[^A-Za-z0-9]*$"
"""Letters after a digit, then the value's last digits: `x123`, `ext. 5`, `Durchwahl 12`."""
VANITY = r"^[^A-Za-z0-9]*([0-9][^A-Za-z0-9]*){1,6}[A-Za-z]"
"""Letters after one to six digits, too few for a number: they are its rest. Else letters are a remark and no digits."""

SCIENTIFIC = r"^\s*[+-]?[0-9]([.,][0-9]+)?[eE][+]?[0-9]+\s*$"
"""`5.55E+09`: a spreadsheet kept three digits of the number. No value is better than one that equals its neighbours."""


def phone_sql(expr: str, region: str | None) -> str:
    """The SQL expression of the digits of `expr`; SpecError if `region` is none (ISO 3166, e.g. US)."""
    # A value without letters, nearly every one, skips the two steps about letters.
    bare = f"regexp_replace({expr}, {literal(EXTENSION)}, '\\1')"
    read = f"translate(lower({bare}), '{KEYPAD[0]}', '{KEYPAD[1]}')"
    vanity = (
        f"CASE WHEN regexp_matches({expr}, {literal(SCIENTIFIC)}) THEN '' "
        f"WHEN regexp_matches({bare}, {literal(VANITY)}) THEN {read} ELSE {bare} END"
    )
    numeric = f"CASE WHEN regexp_matches({expr}, '[A-Za-z]') THEN {vanity} ELSE {expr} END"
    trunk_in_brackets = f"replace({numeric}, '(0)', '')"
    if region is None:
        return f"ltrim(regexp_replace({trunk_in_brackets}, '[^0-9]+', '', 'g'), '0')"
    value = f"regexp_replace({trunk_in_brackets}, '[^0-9+＋]+|([0-9])[+＋]+', '\\1', 'g')"
    for pattern, replacement in region_rules(region.upper()):
        value = f"regexp_replace({value}, {literal(pattern)}, {literal(replacement)})"
    return value


@cache
def region_rules(region: str) -> tuple[tuple[str, str], ...]:
    """Regular expressions, applied in order to digits with an optional `+`, that leave the national number."""
    if region not in SUPPORTED_REGIONS:
        raise SpecError(
            f"{region!r} is no region with phone numbers",
            where=f"normalize: phone({region})",
            hint=f"write an ISO 3166 code such as US; {did_you_mean(region, SUPPORTED_REGIONS)}",
        )
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.general_desc is None:
        raise LookupError(f"no phone metadata for {region}")
    code, trunk = str(metadata.country_code), metadata.national_prefix or ""
    abroad = "|".join(filter(None, ("00", metadata.international_prefix)))
    rules = [
        (rf"^(?:[+＋]+|{abroad})0*([0-9])", r"+\1"),
        (rf"^\+{code}", ""),
        (rf"^(?:{trunk}|0+)0*" if trunk.startswith("0") else r"^0+", ""),
    ]
    lengths = {n for n in metadata.general_desc.possible_length if n > 0}
    for prefix in dict.fromkeys((trunk.lstrip("0"), code)):
        # A prefix written without + is one only where the number with it would be too long, and without it is not.
        fitting = sorted(n for n in lengths if n + len(prefix) not in lengths)
        if prefix and fitting:
            rules.append((f"^{prefix}({'|'.join(f'[0-9]{{{n}}}' for n in fitting)})$", r"\1"))
    return tuple(rules)
