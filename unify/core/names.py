"""Names: how an entity is called in a project, which table holds it, and the one place where identifiers are quoted."""

import re

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def quote(identifier: str) -> str:
    """An SQL identifier, quoted. The only function in the product that does so.

    >>> quote('say "hi"')
    '"say ""hi\"""'
    """
    if "\x00" in identifier:
        raise ValueError("an identifier cannot hold a NUL character")
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string literal, for the few statements that take no parameters (COPY, ATTACH, CREATE VIEW).

    >>> literal("O'Hara")
    "'O''Hara'"
    """
    if "\x00" in text:
        raise ValueError("a literal cannot hold a NUL character")
    return "'" + text.replace("'", "''") + "'"


def table_of(entity: str) -> str:
    """The table of an entity: `crm.Contacts` lives in `crm_Contacts`.

    >>> table_of("crm.Contacts")
    'crm_Contacts'
    """
    return entity.replace(".", "_")


def corrupt_table_of(entity: str) -> str:
    """The table of an entity's quarantined rows.

    >>> corrupt_table_of("crm.Contacts")
    'crm_Contacts_corrupt'
    """
    return f"{table_of(entity)}_corrupt"
