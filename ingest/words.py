"""The words in a column's name, whatever its spelling."""

import re

from anyascii import anyascii

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words(name: str) -> tuple[str, ...]:
    """Lower-case ASCII words of a name in camelCase, snake_case, with blanks, dots or accents.

    >>> words("DateOfBirth"), words("EMail"), words("hausNr_alt"), words("Prénom"), words("HTTPUrl2")
    (('date', 'of', 'birth'), ('e', 'mail'), ('haus', 'nr', 'alt'), ('prenom',), ('http', 'url', '2'))
    """
    return tuple(word.lower() for word in _WORD.findall(anyascii(name)))
