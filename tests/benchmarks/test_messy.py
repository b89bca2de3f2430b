"""Messy records: exact counts, truth apart and complete, every trap at its rate, the same files for the same seed."""

import hashlib
import json

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import messy
from benchmarks.messy_files import FILES
from benchmarks.messy_rates import RATE, RATES, SOURCES
from benchmarks.messy_records import CALL_CENTRE, TRAPS

RECORDS = 40_000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return messy.customers(RECORDS, data=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def truth(made):
    return pq.read_table(made.truth).to_pandas()


@pytest.fixture(scope="module")
def exports(made):
    """The five files as anybody reads them, all text, rows that cannot be read left out."""
    reads = {
        "crm.Contacts": "read_csv('{}', all_varchar = true, header = true, ignore_errors = true, quote = '\"')",
        "loyalty.Members": "read_csv('{}', all_varchar = true, header = true, ignore_errors = true, quote = '\"', delim = ';')",
        "web.Accounts": "read_json('{}', format = 'newline_delimited', ignore_errors = true)",
        "support.Callers": "read_parquet('{}')",
        "pos.Customers": "read_csv('{}', all_varchar = true, header = true, ignore_errors = true, quote = '\"')",
    }
    with duckdb.connect() as connection:
        return {
            name: connection.sql("FROM " + read.format(made.files / FILES[name].file)).df()
            for name, read in reads.items()
        }


def trapped(truth, trap):
    return (truth["traps"].to_numpy() >> TRAPS.index(trap)) & 1 == 1


def test_records_people_and_pairs_are_counted_exactly(made, truth):
    assert len(truth) == made.records == RECORDS
    sizes = truth.groupby("person").size().to_numpy()
    assert len(sizes) == made.people
    assert int((sizes * (sizes - 1) // 2).sum()) == made.true_pairs
    assert sizes.max() <= 5


def test_the_truth_names_every_record_that_can_be_named_and_no_file_tells_the_person(truth, exports):
    for name, frame in exports.items():
        key = FILES[name].key
        assert sorted(frame.columns) == sorted(FILES[name].columns)
        known = set(truth.loc[truth.entity == name, "key"])
        there = set(frame[key].dropna())
        assert known == there, name
        assert len(known) == (truth.entity == name).sum(), "a key stands twice in the truth"


def test_no_column_is_called_the_same_in_two_systems():
    names = [column.lower() for file in FILES.values() for column in file.columns]
    assert len(names) == len(set(names))


def test_sources_have_their_share_of_records_and_of_values(truth, exports):
    for name, (share, told) in SOURCES.items():
        assert (truth.entity == name).mean() == pytest.approx(share, abs=0.01)
        shown = {what: column for column, what in FILES[name].columns.items()}
        for what, of_records in told.items():
            column = shown["street" if what == "address" else what]
            lost = 0.003 if what == "birth" else 0.0  # who changed everything tells no birth date
            filled = exports[name][column].notna().mean()
            spread = 4 * (of_records * (1 - of_records) / len(exports[name])) ** 0.5  # four standard deviations
            assert filled == pytest.approx(of_records - lost, abs=spread), (name, what)


RATE_OF_RECORDS = {
    "typo in first name": 0.03, "typo in last name": 0.04, "names exchanged": 0.015, "nothing left": 0.0025,
    "married name": 0.015,
}  # fmt: skip
"""Traps of names can sit in every record."""
OF_THOSE_WITH = {
    "email": {"other mailbox": 0.15, "mistyped mailbox": 0.015, "capital mailbox": 0.03, "placeholder mailbox": 0.007,
              "family mailbox": 0.035, "office mailbox": 0.008},
    "birth": {"default birth date": 0.007, "wrong birth date": 0.01},
    "street": {"moved": 0.102, "typo in street": 0.03, "street abbreviated": 0.30, "block of flats": 0.155},
}  # fmt: skip


def test_traps_of_every_record_come_at_their_rates(truth):
    for trap, share in RATE_OF_RECORDS.items():
        assert trapped(truth, trap).mean() == pytest.approx(share, rel=0.25), trap


@pytest.mark.parametrize("trap", ["family mailbox", "office mailbox", "other mailbox", "mistyped mailbox", "placeholder mailbox",
                                  "capital mailbox"])  # fmt: skip
def test_traps_of_mailboxes_come_at_their_rates_among_records_with_one(truth, exports, trap):
    assert share_of_told(truth, exports, trap, "email") == pytest.approx(OF_THOSE_WITH["email"][trap], rel=0.3)


@pytest.mark.parametrize("trap", list(OF_THOSE_WITH["birth"]))
def test_traps_of_birth_dates_come_at_their_rates(truth, exports, trap):
    assert share_of_told(truth, exports, trap, "birth") == pytest.approx(OF_THOSE_WITH["birth"][trap], rel=0.3)


@pytest.mark.parametrize("trap", list(OF_THOSE_WITH["street"]))
def test_traps_of_addresses_come_at_their_rates(truth, exports, trap):
    assert share_of_told(truth, exports, trap, "street") == pytest.approx(OF_THOSE_WITH["street"][trap], rel=0.3)


def share_of_told(truth, exports, trap, what):
    """Of the records whose file shows this value, the share with the trap."""
    shown = 0
    for name, frame in exports.items():
        columns = [column for column, value in FILES[name].columns.items() if value == what]
        if columns:
            keys = frame.loc[frame[columns[0]].notna(), FILES[name].key]
            shown += truth[(truth.entity == name) & truth.key.isin(set(keys))].shape[0]
    sources = [name for name, file in FILES.items() if what in file.columns.values()]
    return (trapped(truth, trap) & truth.entity.isin(sources)).sum() / shown


def test_every_trap_is_set(truth):
    missing = [trap for trap in TRAPS if not trapped(truth, trap).any()]
    assert missing == []


def test_every_rate_has_a_reason_and_the_rates_are_shares():
    assert all(0 < share < 1 and len(why) > 10 for share, why in RATES.values())
    assert sum(share for share, _ in SOURCES.values()) == pytest.approx(1)


def test_values_that_lie_are_carried_by_many_people(truth, exports):
    crm = exports["crm.Contacts"].merge(truth[truth.entity == "crm.Contacts"], left_on="ContactId", right_on="key")
    assert crm[crm.EMail.str.lower() == "noreply@store.example"].person.nunique() > 10
    digits = crm.Telephone.str.replace("x.*$", "", regex=True).str.replace("[^0-9]", "", regex=True).str[-10:]
    assert crm[digits.isin([str(line) for line in CALL_CENTRE])].person.nunique() > 50
    assert crm[crm.DateOfBirth == "1/1/1900"].person.nunique() > 20


def test_twins_share_birthday_and_not_the_first_name():
    from benchmarks.fields import Draws
    from benchmarks.messy_people import people

    of = people(Draws(3, 0), 60_000)
    twins = np.flatnonzero(of.twin)
    assert len(twins) > 30
    assert (of.born[twins] == of.born[twins - 1]).all()
    assert (of.first[twins] != of.first[twins - 1]).all()
    assert (of.last[twins] == of.last[twins - 1]).all()
    assert (of.head[twins] == of.head[twins - 1]).all()


def test_father_and_son_share_the_name_and_twenty_years_lie_between():
    from benchmarks.fields import Draws
    from benchmarks.messy_people import DAYS, FIRST_DAY, YEAR, people

    of = people(Draws(3, 0), 60_000)
    sons = np.flatnonzero(of.namesake)
    assert len(sons) > 100
    heads = of.head[sons]
    assert (of.first[sons] == of.first[heads]).all()
    assert (of.last[sons] == of.last[heads]).all()
    years = (of.born[sons] - of.born[heads]) / YEAR
    old_enough = (
        of.born[heads] + 40 * YEAR < FIRST_DAY + DAYS
    )  # children of the youngest heads are born as late as may be
    assert (years[old_enough] >= 20).all()


def test_households_are_as_common_as_the_table_says():
    from benchmarks.fields import Draws
    from benchmarks.messy_people import people

    of = people(Draws(3, 0), 60_000)
    at_home = np.bincount(of.head, minlength=len(of))[of.head]
    assert (at_home > 1).mean() == pytest.approx(RATE["one household"], abs=0.02)


def test_a_mailbox_of_ones_own_is_nobody_elses():
    """Strangers of one name have mailboxes with numbers: only families, offices and slips share one."""
    from benchmarks.fields import Draws
    from benchmarks.messy_people import people

    of = people(Draws(3, 0), 60_000)
    box = of.mailbox
    own = ~of.family_mailbox & ~of.office
    parts = zip(
        *(getattr(box, c)[own].tolist() for c in ("pattern", "first", "last", "year", "host", "number")), strict=True
    )
    listed = list(parts)
    assert len(set(listed)) == len(listed)
    assert (box.number[own] > 0).mean() > 0.02


def test_files_are_written_as_five_systems_write_them(made):
    contacts = (made.files / "contacts.csv").read_bytes()
    assert contacts.startswith(b"\xef\xbb\xbf")
    assert contacts.count(b"\r\n") == contacts.count(b"\n")
    assert b";" in (made.files / "members.csv").read_bytes().splitlines()[0]


def test_broken_rows_are_there_and_belong_to_nobody(monkeypatch, tmp_path):
    monkeypatch.setitem(RATE, "broken row", 0.02)
    made = messy.customers(4_000, data=tmp_path)
    lines = (made.files / "accounts.jsonl").read_bytes().splitlines()
    broken = [line for line in lines if not whole(line)]
    assert 0.01 < len(broken) / len(lines) < 0.03
    assert all(line.startswith(b'{"account_id": "Z') for line in broken)
    till = (made.files / "till.csv").read_bytes().splitlines()
    cut = [line for line in till if line.startswith(b'"Z') and line.count(b",") < 4]
    quoted = [line for line in till if b'Z"?"' in line]
    assert cut
    assert quoted
    keys = pq.read_table(made.truth)["key"].to_pylist()
    assert not [key for key in keys if key.startswith("Z")]


def whole(line):
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_rows_stand_twice_and_keys_stand_twice(exports):
    rows = sum(len(frame) for frame in exports.values())
    twice = sum(frame.astype(str).duplicated().sum() for frame in exports.values())
    again = sum(f[FILES[name].key].dropna().duplicated().sum() for name, f in exports.items()) - twice
    keyless = sum(f[FILES[name].key].isna().sum() for name, f in exports.items())
    assert twice / rows == pytest.approx(RATE["identical row"], rel=0.6)
    assert 0 < again / rows < 4 * RATE["key twice"]
    assert 0 < keyless / rows < 4 * RATE["no key"]


def digest(made):
    files = sorted(p for p in made.folder.rglob("*") if p.is_file() and p.suffix != ".parquet")
    tables = sorted(p for p in made.folder.rglob("*.parquet"))
    text = {str(p.relative_to(made.folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    return text, [pq.read_table(p) for p in tables]


def test_same_seed_same_files_another_seed_others(tmp_path):
    one, again, other = (
        digest(messy.customers(3_000, seed=seed, data=tmp_path / place))
        for place, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert one[0] == again[0]
    assert all(a.equals(b) for a, b in zip(one[1], again[1], strict=True))
    assert one[0] != other[0]


def test_chunks_do_not_show_in_the_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(messy, "CHUNK", 700)
    made = messy.customers(3_000, data=tmp_path)
    found = pq.read_table(made.truth)
    assert found.num_rows == 3_000
    assert len(pa.compute.unique(found["person"])) == made.people


def test_second_call_reads_the_cache(made):
    before = made.truth.stat().st_mtime_ns
    assert messy.customers(RECORDS, data=made.folder.parent) == made
    assert made.truth.stat().st_mtime_ns == before


def test_one_record_is_a_set_and_none_is_refused(tmp_path):
    made = messy.customers(1, data=tmp_path)
    assert (made.records, made.people, made.true_pairs) == (1, 1, 0)
    assert len(list(made.files.iterdir())) == 1
    with pytest.raises(ValueError, match="at least 1"):
        messy.customers(0, data=tmp_path)
