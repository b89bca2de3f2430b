"""Masks as SQL: what is shown in the place of a value. Comparing, sorting and counting see the mask and nothing else.

pii        e-mail a***@example.org, phone ***42, name A***, birth date 1980-01-01 (its year), address ***,
           numbers and other types null, other text #3f9a0c21b7d4 (alike for equal values, by a key of the service)
sensitive  text ***, everything else null
"""

from unify.core.names import literal
from unify.service.access.classes import Told

NOTHING = "***"
MIN_DIGITS = 7
"""A telephone number of fewer digits would be nearly all shown by its last two."""


def mask(value: str, sql_type: str, told: Told, key: str) -> str:
    """SQL over SQL; null stays null. The type stays what it is, so that a question means the same for everybody."""
    kind = sql_type.upper()
    if kind == "VARCHAR":
        shown = f"'{NOTHING}'" if told.pii == "sensitive" else _text(value, told.kind, key)
        return f"CASE WHEN {value} IS NOT NULL THEN {shown} END"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return f"CAST(date_trunc('year', {value}) AS {sql_type})" if told.pii == "pii" else f"CAST(NULL AS {sql_type})"
    return f"CAST(NULL AS {sql_type})"


def _text(value: str, kind: str, key: str) -> str:
    if kind == "email":
        plain = f"trim({value})"
        return (
            f"CASE WHEN instr({plain}, '@') > 1 "
            f"THEN left({plain}, 1) || '***@' || split_part({plain}, '@', -1) ELSE '{NOTHING}' END"
        )
    if kind == "phone":
        digits = f"regexp_replace({value}, '[^0-9]', '', 'g')"
        return f"CASE WHEN length({digits}) >= {MIN_DIGITS} THEN '***' || right({digits}, 2) ELSE '{NOTHING}' END"
    if kind == "name":
        return f"left(trim({value}), 1) || '***'"
    if kind in ("address", "birthdate"):
        return f"'{NOTHING}'"
    return token(value, key, 12)


def token(value: str, key: str, digits: int = 24) -> str:
    """Alike for equal values and for nothing else: what keys and what refers to them become. VARCHAR of any type.

    A keyed hash, the inner and the outer both behind a key of fixed length (NMAC with one key): without the key nobody
    can try values.
    """
    inner = f"sha256({literal(key)} || CAST({value} AS VARCHAR))"
    return f"'#' || left(sha256({literal(key)} || {inner}), {digits})"
