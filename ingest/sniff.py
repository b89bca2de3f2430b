"""A cheap look at an entity: the header and the first rows of its first file, for `unify validate`."""

from pathlib import Path

from ingest.columns import check_names, plan_columns
from ingest.files import describe_files, resolve_files
from ingest.incremental import FULL
from ingest.load import open_source
from unify.core.engine import Engine
from unify.core.errors import SourceError
from unify.spec import Entity


def sniff(entity: Entity, base: Path, *, where: str = "entity", engine: Engine | None = None) -> dict[str, str]:
    """Column to type, e.g. `{"ContactId": "string", "DateOfBirth": "date"}`.

    Types that are not declared are a guess from some thousand rows; a load looks at all of them. Checks what a load
    checks about files, header and the columns that the project names. Raises SourceError, DamagedFileError, SpecError.
    """
    if engine is None:
        from unify.engines.duckdb import DuckDBEngine

        with DuckDBEngine(threads=1) as scratch:
            return sniff(entity, base, where=where, engine=scratch)
    if entity.incremental:
        folder = base / entity.files[0] / FULL
        inside = sorted(p for p in folder.glob("*") if p.is_file() and not p.name.startswith((".", "_")))
        if not inside:
            raise SourceError(f"{FULL} is missing or empty", where=str(folder.parent), hint="export all rows into it")
        files = describe_files(inside, entity, base)
    else:
        files = resolve_files(entity, base)
    source = open_source(entity, files, sample_only=True)
    check_names(entity, source.columns, f"{where}: {files[0].name}")
    try:
        engine.load("sniffed_rows", source.reader())
    except Exception:
        if source.error is not None:
            raise source.error from None
        raise
    fields, _ = plan_columns(engine, "sniffed_rows", entity, source, where)
    return {f.name: f.type.name for f in fields}
