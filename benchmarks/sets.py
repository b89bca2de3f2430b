"""The data sets that quality is measured on: copies of their files from which nothing can be read off the truth.

A copy holds what the publisher's file holds, as text, less the columns that name the person. Two more things would
give the truth away and are changed: the key (FEBRL's `rec-552-dup-3` has the person in it, Contoso's ids run side by
side) becomes a number of the copy, and rows come in mixed order (historical_50k lists a person's records one after
another). `truth.parquet` lies in another folder: one row per record, with entity, key and person.

Sets of one file are deduplicated and scored over all pairs; those of two files are linked and scored over the pairs
across them (`across`); `messy`, generated, has five files and is scored over all pairs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
KEY = "Id"
"""Name of the key column in every copy."""


@dataclass(frozen=True)
class Entity:
    """One file of a set. `file` is relative to the set's folder."""

    name: str
    file: str
    key: str


@dataclass(frozen=True)
class DataSet:
    """A prepared set: files that may be read, and the truth that may not."""

    name: str
    folder: Path
    entities: tuple[Entity, ...]
    truth: Path
    records: int
    across: bool

    def bare_project(self) -> dict[str, object]:
        """A project that says nothing but where the files are and what their keys are called."""
        sources: dict[str, dict[str, dict[str, str]]] = {}
        for entity in self.entities:
            source, table = entity.name.split(".")
            sources.setdefault(source, {})[table] = {"files": entity.file, "key": entity.key}
        return {"name": "measured", "instance": "instance", "sources": sources}


@dataclass(frozen=True)
class _Copy:
    """How one publisher's file becomes a copy. `person` is SQL over its columns; `columns` None: all but `hidden`."""

    entity: str
    file: str
    person: str
    hidden: tuple[str, ...]
    columns: tuple[str, ...] | None = None


_FEBRL_PERSON = "regexp_extract(rec_id, 'rec-[0-9]+')"
_CONTOSO_DIRTY = ("FullName", "Telephone", "DateOfBirth")
"""The columns with errors planted by the publisher."""


def _contoso(columns: tuple[str, ...] | None) -> tuple[_Copy, ...]:
    """ContactId is the truth in both files; a member without a contact is a person of its own."""
    person = "coalesce(ContactId, 'only ' || LoyaltyId)"
    return (
        _Copy("crm.Contacts", "contoso/Contact.csv", "ContactId", ("ContactId",), columns),
        _Copy("loyalty.Members", "contoso/Customer-Loyalty.csv", person, ("LoyaltyId", "ContactId"), columns),
    )


_PUBLIC: dict[str, tuple[_Copy, ...]] = {
    "febrl3": (_Copy("febrl.People", "febrl/dataset3.csv", _FEBRL_PERSON, ("rec_id",)),),
    "febrl4": (
        _Copy("first.People", "febrl/dataset4a.csv", _FEBRL_PERSON, ("rec_id",)),
        _Copy("second.People", "febrl/dataset4b.csv", _FEBRL_PERSON, ("rec_id",)),
    ),
    "fake_1000": (_Copy("fake.People", "fake_1000/fake_1000.csv", "cluster", ("unique_id", "cluster")),),
    "historical_50k": (
        _Copy(
            "history.People",
            "historical_50k/historical_figures_with_errors_50k.parquet",
            "cluster",
            ("unique_id", "cluster"),
        ),
    ),
    "contoso_clean": _contoso(None),
    "contoso_dirty": _contoso(_CONTOSO_DIRTY),
}
PUBLIC = tuple(_PUBLIC)
MESSY = "messy"
MESSY_RECORDS = 100_000
"""How large `messy` is when nobody says."""


@contextmanager
def prepared(name: str, data: Path = DATA, *, records: int = MESSY_RECORDS, seed: int = 7) -> Iterator[DataSet]:
    """The set of this name in a temporary folder, gone afterwards. `records` and `seed` are for `messy`.

    ValueError for a name that is none, FileNotFoundError when the publisher's files are not in `data`.
    """
    if name == MESSY:
        yield messy_set(records, seed)
        return
    if name not in _PUBLIC:
        raise ValueError(f"there is no data set {name!r}: {', '.join((*PUBLIC, MESSY))}")
    with TemporaryDirectory(prefix=f"{name}-") as folder, TemporaryDirectory(prefix="truth-") as apart:
        yield _copies(Path(folder), Path(apart), name=name, data=data)


def messy_set(records: int, seed: int = 7) -> DataSet:
    """Generated, and kept in benchmarks/data. An export that got no record, in tiny sets, is left out."""
    from benchmarks import messy
    from benchmarks.messy_files import FILES

    made = messy.customers(records, seed=seed)
    there = {name: file for name, file in FILES.items() if (made.files / file.file).exists()}
    entities = tuple(Entity(name, file.file, file.key) for name, file in there.items())
    return DataSet(MESSY, made.files, entities, made.truth, made.records, across=False)


def _copies(folder: Path, apart: Path, *, name: str, data: Path) -> DataSet:
    entities, records = [], 0
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE truth (entity VARCHAR, key VARCHAR, person VARCHAR)")
        for copy in _PUBLIC[name]:
            if not (data / copy.file).is_file():
                raise FileNotFoundError(f"{data / copy.file}: the publisher's file is needed for {name}")
            file = f"{copy.entity.replace('.', '_')}.csv"
            records += _copy(connection, copy, data / copy.file, folder / file)
            entities.append(Entity(copy.entity, file, KEY))
        truth = apart / "truth.parquet"
        connection.execute(f"COPY truth TO '{truth}' (FORMAT parquet)")
    return DataSet(name, folder, tuple(entities), truth, records, across=len(entities) > 1)


def _copy(connection: duckdb.DuckDBPyConnection, copy: _Copy, source: Path, target: Path) -> int:
    """Writes one copy and adds to the truth; how many records. Blanks around names and values go: FEBRL has them."""
    read = f"'{source}'" if source.suffix == ".parquet" else f"read_csv('{source}', all_varchar = true)"
    found = [row[0] for row in connection.execute(f"DESCRIBE FROM {read}").fetchall()]
    spelled = ", ".join(f"""nullif(trim(CAST("{c}" AS VARCHAR)), '') AS "{c.strip()}\"""" for c in found)
    said = [
        c.strip() for c in found if c.strip() not in copy.hidden and (copy.columns is None or c.strip() in copy.columns)
    ]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE copy AS "
        f"SELECT format('R{{:07d}}', row_number() OVER (ORDER BY md5(said), said)) AS \"{KEY}\", "
        f"* EXCLUDE (said) FROM (SELECT *, {copy.person} AS the_person, CAST(rows AS VARCHAR) AS said "
        f"FROM (SELECT {spelled} FROM {read}) AS rows)"
    )
    columns = ", ".join(f'"{c}"' for c in (KEY, *said))
    connection.execute(f"COPY (SELECT {columns} FROM copy ORDER BY \"{KEY}\") TO '{target}' (HEADER)")
    connection.execute(f'INSERT INTO truth SELECT $entity, "{KEY}", the_person FROM copy', {"entity": copy.entity})
    row = connection.execute("SELECT count(*) FROM copy").fetchone()
    return int(row[0]) if row else 0
