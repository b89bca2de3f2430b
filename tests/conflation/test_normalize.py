"""Normalisers: the reference's examples, empty values, lists, and the properties that make a normaliser trustworthy."""

import re
from itertools import product
from typing import get_args

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from unify.conflation.normalize import NORMALIZERS, SYMBOLS, Lists, define, normalized
from unify.conflation.words import addresses, names, organizations
from unify.core.errors import SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import NormalizeStep
from unify.spec.conditions import NormalizerKind

PLAIN = [key for key in NORMALIZERS if key not in ("alias", "bypass")]
NO_LISTS = Lists()
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30)
words = st.lists(
    st.sampled_from(["Dr.", "debby", "J.R.", "St", "north", "West,", "P.O.", "box", "& Co.", "Straße", "S.p.A.", "#4"]),
    max_size=6,
).map(" ".join)  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as engine:
        define(engine, [], NO_LISTS)
        yield engine


def steps(*spoken) -> tuple[NormalizeStep, ...]:
    """`"lower"` or `("phone", "US")`."""
    pairs = [(one, None) if isinstance(one, str) else one for one in spoken]
    return tuple(NormalizeStep(kind=kind, argument=argument) for kind, argument in pairs)


def normalize(engine, values, chain, lists=NO_LISTS) -> list[str | None]:
    define(engine, [chain], lists)
    data = pa.table({"i": range(len(values)), "v": pa.array(values, pa.string())})
    engine.load("given_values", data)
    sql = f"SELECT {normalized('v', 'VARCHAR', chain, lists)} AS n FROM given_values ORDER BY i"
    return engine.fetch(Query(sql)).column("n").to_pylist()


def test_there_is_one_row_for_every_normaliser_of_the_spec():
    assert set(NORMALIZERS) == set(get_args(NormalizerKind))


@pytest.mark.parametrize("key", PLAIN)
def test_documented_examples(engine, key):
    examples = NORMALIZERS[key].examples
    assert examples
    assert normalize(engine, [given for given, _ in examples], steps(key)) == [wanted for _, wanted in examples]


def test_symbols_are_exactly_the_printed_list(engine):
    printed = "! ? \" # $ % & ' ( ) + , - . _ / : ; < = > @ ^ \\ ~ { } [ ] `".replace(" ", "")
    assert sorted(SYMBOLS) == sorted(printed)
    every = "".join(chr(c) for c in range(1, 0x250))
    [left] = normalize(engine, [every], steps("symbols"))
    assert left == "".join(c for c in every if c not in printed)


def test_whitespace_removes_all_and_only_white_space(engine):
    every = "".join(chr(c) for c in range(1, 0x3100))
    [left] = normalize(engine, [every], steps("whitespace"))
    assert not any(c.isspace() for c in left if not 0x1C <= ord(c) <= 0x1F), "Unicode's White_Space is gone"
    assert set(every) - set(left) - {c for c in every if c.isspace()} == {"\u180e", "\u200b", "\u2060"}


@pytest.mark.parametrize("chain", [(), *((key,) for key in PLAIN), ("symbols", "whitespace"), ("ascii", "lower")])
def test_null_and_blank_become_null(engine, chain):
    assert normalize(engine, [None, "", " ", "\t\n", "\u00a0\u2003"], steps(*chain)) == [None] * 5


def test_without_steps_a_typed_column_keeps_its_type(engine):
    assert normalized('"BirthDate"', "DATE", (), NO_LISTS) == '"BirthDate"'
    assert normalized('"Total"', "DECIMAL(18,2)", (), NO_LISTS) == '"Total"'
    sql = f"SELECT {normalized('d', 'DATE', steps('symbols'), NO_LISTS)} AS n FROM (SELECT DATE '1980-02-03' AS d)"
    assert engine.fetch(Query(sql)).column(0).to_pylist() == ["19800203"]


def test_without_steps_text_is_kept_as_it_is(engine):
    assert normalize(engine, ["  Fred ", "É"], ()) == ["  Fred ", "É"]


def test_steps_run_in_their_order(engine):
    # With symbols first nothing marks the abbreviation any more, so `s.p.a` is no longer a word of its own.
    assert normalize(engine, ["Fabrikam S.p.A"], steps("organization", "whitespace")) == ["fabrikam"]
    assert normalize(engine, ["Fabrikam S p A"], steps("whitespace", "organization")) == ["fabrikamspa"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(texts | words, min_size=1, max_size=20))
def test_a_normalised_value_is_normal(engine, values):
    for key in PLAIN:
        once = normalize(engine, values, steps(key))
        assert normalize(engine, once, steps(key)) == once, key


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.text(st.characters(max_codepoint=127, exclude_characters="\x00"), max_size=25), min_size=1))
@example(values=["\x1f", "a\x1cb"])
def test_plain_sql_and_the_road_for_all_other_text_agree_on_ascii(engine, values):
    engine.load("plain_values", pa.table({"i": range(len(values)), "v": values}))
    for key in PLAIN:
        row = NORMALIZERS[key]
        sql = f"SELECT {row.sql('v', ascii_only=True)} AS plain, {row.sql('v')} AS general FROM plain_values ORDER BY i"
        table = engine.fetch(Query(sql))
        assert table.column("plain").to_pylist() == table.column("general").to_pylist(), key


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(texts, min_size=1, max_size=20))
def test_case_folding_and_ascii_against_python(engine, values):
    folded = normalize(engine, values, steps("lower"))
    assert [v for v in folded if v is not None and v.isascii() and v != v.lower()] == []
    for value, upper, lower in zip(
        values,
        normalize(engine, [v.upper() for v in values], steps("lower")),
        normalize(engine, [v.upper().lower() for v in values], steps("lower")),
        strict=True,
    ):
        assert upper == lower, value
    assert all(v is None or (v.isascii() and v == v.lower()) for v in normalize(engine, values, steps("ascii")))


# Names -------------------------------------------------------------------------------------------------------------


def test_names_have_at_least_the_500_variants_of_the_reference():
    assert len(names.forms()) >= 500


def test_a_form_stands_for_itself_so_that_the_order_of_words_decides_nothing():
    table = names.forms()
    assert [(word, form) for word, form in table.items() if table.get(form, form) != form] == []


def test_no_variant_stands_in_two_families_and_no_name_in_its_own_right_is_a_variant():
    rows = re.findall(r"(\S+): ", names.FAMILIES)
    variants = [v.strip() for v in re.sub(r"\S+: ", ",", names.FAMILIES).replace("\n", " ").split(",") if v.strip()]
    assert len(rows) == len(set(rows))
    assert len(variants) == len(set(variants))
    assert not set(rows) & set(variants)
    assert not set(names.OWN.split()) & (set(variants) | names.forms().keys())


@pytest.mark.parametrize(
    ("variants", "form"),
    [
        ("debby Debbie DEBRA Deborah", "deborah"),
        ("bill Billy Will William", "william"),
        ("Bob Rob robert", "robert"),
        ("kate Kathy Catherine Katherine", "catherine"),
        ("Peggy meg Margaret", "margaret"),
        ("Professor prof Prof. PROF", "prof"),
        ("Dr Dr. doctor", "dr"),
        ("Jr. jr junior", "jr"),
        ("Ph.D. PhD", "phd"),
    ],
)
def test_variants_of_a_name_are_one(engine, variants, form):
    assert set(normalize(engine, variants.split(), steps("name"))) == {form}


@pytest.mark.parametrize(
    ("one", "other"), [("Erin", "Aaron"), ("Maria", "Mariah"), ("Chan", "Chauncey"), ("Al", "Alan")]
)
def test_names_in_their_own_right_stay_apart(engine, one, other):
    assert len(set(normalize(engine, [one, other], steps("name")))) == 2


def test_punctuation_of_names(engine):
    given_names = [
        "Smith, John",
        "John  Smith-Jones",
        "J.R. Smith",
        "A.L. Smith",
        "O’Hara",
        '"Bob" Smith',
        "-",
        "José Núñez",
    ]
    wanted = ["smith john", "john smith-jones", "j r smith", "a l smith", "o'hara", "robert smith", None, "josé núñez"]
    assert normalize(engine, given_names, steps("name")) == wanted


# Addresses and organisations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [addresses.forms()])
def test_an_abbreviation_stands_for_itself(table):
    assert [(word, form) for word, form in table.items() if table.get(form, form) != form] == []
    listed = [w.strip() for line in addresses.ABBREVIATIONS.strip().splitlines() for w in line.split(":")[1].split(",")]
    assert len(listed) == len(set(listed)), "a word has one abbreviation"


@pytest.mark.parametrize(
    "alike",
    [
        ["1 N.W. Main Street", "1 north west main st.", "1 Northwest Main St", "1 nw MAIN strt"],
        ["PO Box 5", "P.O. Box 5", "Post Office Box 5", "p o box 5", "POBox 5"],
        ["Hauptstraße 5", "Hauptstrasse 5", "Hauptstr. 5", "HAUPTSTR 5"],
        ["5 Fifth Avenue, Suite 3", "5 5th Ave Ste 3"],
        ["Avenida Brasil 7", "Av. Brasil 7"],
    ],
)
def test_addresses_written_differently_are_one(engine, alike):
    assert len(set(normalize(engine, alike, steps("address")))) == 1


def test_noise_words_of_organisations(engine):
    assert len(organizations.NOISE) >= 50
    alike = ["Contoso", "CONTOSO CORP.", "Contoso, Inc", "The Contoso Company", "Contoso GmbH & Co. KG", "Contoso S.A."]
    assert set(normalize(engine, alike, steps("organization"))) == {"contoso"}
    assert normalize(engine, ["The Limited", "Inc."], steps("organization")) == ["the limited", "inc"]


# Phones ------------------------------------------------------------------------------------------------------------


def test_the_country_code_stays_significant_without_a_region(engine):
    assert normalize(engine, ["+1 555 010 9999", "555 010 9999"], steps("phone")) == ["15550109999", "5550109999"]


@pytest.mark.parametrize(
    ("region", "alike", "national"),
    [
        ("US", ["011 1 555 010 9999", "1-555-010-9999", "(555) 010-9999", "555.010.9999 x4"], "5550109999"),
        ("GB", ["+44 20 7946 0958", "020 7946 0958", "0044 20 79460958", "442079460958"], "2079460958"),
        ("DE", ["+49 171 0000001", "0171 0000001", "0049-171-0000001", "171 0000001"], "1710000001"),
        ("RU", ["+7 495 000-00-01", "8 495 000-00-01", "495 000 00 01"], "4950000001"),
        ("HU", ["+36 1 234 5678", "06 1 234 5678"], "12345678"),
        ("IT", ["+39 06 1234 5678", "06 1234 5678"], "612345678"),
    ],
)  # fmt: skip
def test_numbers_of_the_region_lose_country_code_and_trunk_prefix(engine, region, alike, national):
    assert set(normalize(engine, alike, steps(("phone", region)))) == {national}
    assert set(normalize(engine, alike, steps(("phone", region.lower())))) == {national}


def test_numbers_of_other_countries_keep_their_plus(engine):
    assert normalize(engine, ["+44 20 7946 0958", "0044 20 7946 0958"], steps(("phone", "DE"))) == ["+442079460958"] * 2


def test_every_region_agrees_with_phonenumbers_on_its_example_numbers(engine):
    wrong = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number(region)
        kinds = (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        spellings = [phonenumbers.format_number(number, kind) for kind in kinds]
        value = normalized("v", "VARCHAR", steps(("phone", region)), NO_LISTS)
        table = engine.fetch(
            Query(f"SELECT {value} AS n FROM (SELECT unnest($spellings) AS v)", {"spellings": spellings})
        )
        if set(table.column("n").to_pylist()) != {str(number.national_number)}:
            wrong.append((region, spellings))
    assert wrong == []


def test_an_unknown_region_is_an_error():
    with pytest.raises(SpecError, match="'UK' is no region"):
        normalized("v", "VARCHAR", steps(("phone", "UK")), NO_LISTS)


def test_two_vanity_numbers_differ_and_remarks_do_not_count(engine):
    one, other, remark = normalize(engine, ["1-800-FLOWERS", "1-800-CONTACT", "555 010 9999 (home)"], steps("phone"))
    assert one != other
    assert remark == "5550109999"


# Lists -------------------------------------------------------------------------------------------------------------

ALIASES = Lists(aliases={"nick": (("Bill", "William"), ("Will", "WILLIAM"), ("", "x")), "more": (("Billy", "Bill"),)})


def test_aliases_are_equal_through_each_other_and_through_the_other_normalisers(engine):
    chain = steps(("alias", "nick"), "lower")
    bill, william, will, fred = normalize(engine, ["BILL", "william", "Will", "Fred"], chain, ALIASES)
    assert bill == william == will
    assert fred == "fred"


def test_several_alias_lists_are_one_relation(engine):
    chain = steps("lower", ("alias", "nick"), ("alias", "more"))
    assert len(set(normalize(engine, ["billy", "bill", "William", "WILL"], chain, ALIASES))) == 1


def test_the_place_of_alias_among_the_steps_and_the_order_of_entries_mean_nothing(engine):
    values = ["BILL", "William", "bob", None, ""]
    shuffled = Lists(aliases={"nick": tuple((b, a) for a, b in reversed(ALIASES.aliases["nick"]))})
    chains = [steps(("alias", "nick"), "lower"), steps("lower", ("alias", "nick"))]
    answers = [normalize(engine, values, c, lists) for c, lists in product(chains, (ALIASES, shuffled))]
    assert answers == [answers[0]] * 4
    assert normalized("v", "VARCHAR", chains[0], ALIASES) == normalized("v", "VARCHAR", chains[1], shuffled)


def test_bypassed_values_and_their_aliases_match_nothing(engine):
    lists = Lists(aliases={"same": (("n/a", "none"),)}, bypasses={"junk": ("N/A", "no-reply@example.com")})
    values = ["n/a", "None", "NO-REPLY@example.com", "fred"]
    wanted = [None, None, None, "fred"]
    for chain in product(*[steps("lower", ("alias", "same"), ("bypass", "junk"))] * 3):
        if len(set(chain)) == 3:
            assert normalize(engine, values, chain, lists) == wanted
    assert normalize(engine, values, steps(("bypass", "junk"), "lower"), lists) == [None, "none", None, "fred"]


def test_another_content_is_another_function():
    chain = steps(("bypass", "junk"))
    one, other = (normalized("v", "VARCHAR", chain, Lists(bypasses={"junk": (v,)})) for v in ("a", "b"))
    assert one != other


def test_an_unknown_list_is_an_error_that_knows_better():
    with pytest.raises(SpecError, match="did you mean junk"):
        normalized("v", "VARCHAR", steps(("bypass", "jnk")), Lists(bypasses={"junk": ("a",)}))
    with pytest.raises(SpecError, match="declare it"):
        normalized("v", "VARCHAR", steps(("alias", "nick")), NO_LISTS)


def test_a_value_may_be_any_sql_text_in_lists(engine):
    awkward = 'O\'Hara \\ "x" $1; --'
    assert normalize(engine, [awkward], steps(("bypass", "b")), Lists(bypasses={"b": (awkward,)})) == [None]
