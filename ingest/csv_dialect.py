"""How a CSV file is written: what is declared holds, the rest is told from the first lines of the file."""

from collections import Counter
from dataclasses import replace

from ingest.csv_exact import Dialect, Exact
from unify.core.errors import SourceError
from unify.spec import CsvOptions

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_RECORDS = 1000


def detect(options: CsvOptions, sample: bytes, key: str, *, final: bool) -> Dialect:
    """The dialect of a file whose text begins with `sample` (header first).

    A delimiter is the one under which the header holds the key and most records are as wide as the header.
    """
    quote = options.quote if options.quote is not None else _quote(sample)
    declared = Dialect(options.delimiter or ",", quote, options.escape or "")
    candidates = [declared] if options.delimiter else [replace(declared, delimiter=d) for d in DELIMITERS]
    best = max(candidates, key=lambda d: _fitness(d, sample, key, options.header, final))
    header = next(iter(head(best, sample, 1, final=final)), [])
    blank = [name.startswith(" ") for name in header[1:]]
    if options.header and blank and all(blank):
        return replace(best, skip_space=True)
    return best


def head(dialect: Dialect, sample: bytes, records: int, *, final: bool) -> list[list[str]]:
    """The values of the first whole records of a sample; empty lines and broken records are left out."""
    exact, position = Exact(dialect), 0
    found: list[list[str]] = []
    while position < len(sample) and len(found) < records:
        step = exact.record(sample, position, final=final)
        if step is None:
            break
        end, is_whole = step
        content = sample[position:end].rstrip(b"\r\n")
        if is_whole and content:
            found.append(exact.fields(content))
        position = end
    return found


def _fitness(dialect: Dialect, sample: bytes, key: str, header: bool, final: bool) -> tuple[bool, float, int]:
    """Larger is better: key in the header, share of records of the header's width, that width (1 is no split)."""
    records = head(dialect, sample, SAMPLE_RECORDS, final=final)
    if not records:
        return False, 0.0, 0
    width = len(records[0]) if header else Counter(map(len, records)).most_common(1)[0][0]
    share = sum(len(r) == width for r in records) / len(records) if width > 1 else 0.0
    has_key = header and width > 1 and key in {name.strip() for name in records[0]}
    return has_key, round(share, 2), width


def _quote(sample: bytes) -> str:
    """`'` when the first line has every field in single quotes, else `"`."""
    line = sample.lstrip(b"\r\n").splitlines()[:1]
    if line and line[0][:1] == b"'" and line[0].rstrip()[-1:] == b"'" and b'"' not in line[0] and len(line[0]) > 2:
        return "'"
    return '"'


def column_names(header: list[str], where: str, warnings: list[str]) -> list[str]:
    """Names of the columns: blanks around them go, unnamed ones are numbered; equal ones (ignoring case) are an error.

    Raises SourceError.
    """
    names = []
    for number, raw in enumerate(header, 1):
        name = raw.strip()
        if "\x00" in name:
            raise SourceError("a column name holds a NUL character", where=where, hint="export the file again")
        if not name:
            name = f"column{number}"
            warnings.append(f"{where}: column {number} has no name and is called {name}")
        elif name != raw:
            warnings.append(f"{where}: blanks around the column name {raw!r} were removed")
        names.append(name)
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.get(name.casefold())) is not None:
            hint = "column names are unique ignoring case; rename one in the source"
            raise SourceError(f"two columns are called {other!r} and {name!r}", where=where, hint=hint)
        seen[name.casefold()] = name
    return names
