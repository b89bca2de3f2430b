"""What is wrong with a declared thing, and the kinds of values that columns hold."""

from typing import NamedTuple

FAMILIES = {
    "VARCHAR": "string", "UUID": "guid", "BOOLEAN": "boolean", "DATE": "date",
    "TINYINT": "integer", "SMALLINT": "integer", "INTEGER": "integer", "BIGINT": "integer", "HUGEINT": "integer",
    "UTINYINT": "integer", "USMALLINT": "integer", "UINTEGER": "integer", "UBIGINT": "integer",
    "FLOAT": "number", "DOUBLE": "number", "DECIMAL": "number", "TIMESTAMP": "datetime",
}  # fmt: skip


class Problem(NamedTuple):
    """One thing that is wrong: the place in the plan, what it is, and the next move."""

    place: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


def family(sql_type: str) -> str:
    """The kind of values a column holds, as people say it.

    >>> family("DECIMAL(18,2)"), family("TIMESTAMP WITH TIME ZONE"), family("VARCHAR")
    ('number', 'datetime', 'string')
    """
    base = sql_type.split("(", maxsplit=1)[0].split(" ", maxsplit=1)[0].split("_", maxsplit=1)[0].upper()
    return FAMILIES.get(base, sql_type.lower())
