"""What values tell of a column whose name tells nothing."""

import pyarrow as pa
import pytest

from unify.core.names import table_of
from unify.engines.duckdb import DuckDBEngine
from unify.proposal.meanings import FIRST, FULL, LAST, Meant, by_values

GIVEN = ["anna", "bert", "cleo", "dora", "emil", "flora", "gero", "hanna", "ivo", "jule"]
FAMILY = ["quill", "moss", "fern", "pike", "stone", "marsh", "vale", "brook", "heath", "thorn", "wood"]
FULLS = [f"{g} {f}" for g in GIVEN for f in FAMILY]
POSTAL = "Location.PostalCode"


@pytest.fixture
def engine():
    with DuckDBEngine() as engine:
        yield engine


def meaning(engine, values, others, *, own=(), column="name:x"):
    """The meaning of a column of entity b.B with these values; `others`: of a.A, meaning → values."""
    engine.load(table_of("b.B"), pa.table({"x": pa.array(values, pa.string())}))
    engine.load(table_of("a.A"), pa.table({f"c{i}": pa.array(v, pa.string()) for i, v in enumerate(others.values())}))
    columns = [Meant("a.A", f"c{i}", m) for i, m in enumerate(others)]
    columns += [Meant("b.B", "x", column), *(Meant("b.B", "x", m) for m in own)]
    return by_values(engine, columns)[len(others)].meaning


def codes(start, n=110):
    return [f"{start + 7 * i}" for i in range(n)]


def names():
    return {FIRST: [n.split()[0] for n in FULLS], LAST: [n.split()[1] for n in FULLS]}


def test_two_words_of_names_are_a_full_name(engine):
    assert meaning(engine, [n.title() for n in FULLS[::2]], names()) == FULL


def test_words_that_are_no_names_are_none(engine):
    assert meaning(engine, [f"red apple{i}" for i in range(50)], names()) == "name:x"


def test_an_entity_that_has_a_name_gets_no_second_one(engine):
    assert meaning(engine, FULLS[::2], names(), own=(FULL,)) != FULL


@pytest.mark.parametrize(("common", "told"), [(80, True), (56, True), (50, False), (0, False)])
def test_numbers_need_half_of_their_values_elsewhere(engine, common, told):
    values = codes(10_000)[:common] + codes(900_000)[: 110 - common]
    assert (meaning(engine, values, {POSTAL: codes(10_000)}) == POSTAL) is told


def test_texts_need_few(engine):
    streets = [f"{i} {w} street" for i, w in enumerate(FAMILY * 10)]
    values = streets[:8] + [f"{i} nowhere lane" for i in range(100)]
    assert meaning(engine, values, {"Location.AddressStreet": streets}) == "Location.AddressStreet"
    assert meaning(engine, values[8:], {"Location.AddressStreet": streets}) == "name:x"


def test_a_meaning_that_its_own_entity_has_is_not_taken(engine):
    assert meaning(engine, codes(10_000), {POSTAL: codes(10_000)}, own=(POSTAL,)) == "name:x"


def test_a_name_that_another_entity_has_too_tells_enough(engine):
    found = meaning(engine, codes(10_000), {POSTAL: codes(10_000), "name:x": codes(10_000)})
    assert found == "name:x"


def test_a_vague_label_becomes_the_exact_one_where_values_say_so_and_others_stay(engine):
    streets = [f"{i} {w} street" for i, w in enumerate(FAMILY * 10)]
    others = {"Location.AddressStreet": streets}
    assert meaning(engine, streets, others, column="Location.Address") == "Location.AddressStreet"
    assert meaning(engine, streets, others, column="Location.City") == "Location.City"


def test_a_column_without_values_stays_what_it_is(engine):
    assert meaning(engine, [None, None], {POSTAL: ["1", "2"]}) == "name:x"
