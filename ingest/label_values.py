"""What values say about a column: tests of a sample, each giving the share of values that look like it."""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from anyascii import anyascii
from nicknames import name_triplets

EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[A-Za-z]{2,}\Z")
URL = re.compile(r"(https?://|www\.)\S+\Z", re.IGNORECASE)
IMAGE_URL = re.compile(r"(https?://|www\.)\S+\.(png|jpe?g|gif|webp|svg|bmp)(\?\S*)?\Z", re.IGNORECASE)
PHONE = re.compile(r"\(?\+?[\d][\d\s().\-/]{5,20}\d?(\s*(x|ext\.?)\s*\d{1,6})?\Z", re.IGNORECASE)
POSTCODE = re.compile(r"(?=.*\d)[A-Z\d]{1,2}[A-Z\d\- ]{2,8}\Z", re.IGNORECASE)
DATE_TEXT = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([ T].*)?\Z")
TIMEZONE = re.compile(r"([A-Z][A-Za-z_]+/[A-Z][A-Za-z_/+\-0-9]+|(UTC|GMT)([+-]\d{1,2}(:?\d{2})?)?|[A-Z]{3,4})\Z")
WORD = re.compile(r"[^\W\d_][^\W\d_'’.\-]*\Z")
_GENDERS = """
    m f w d x male female man woman men women other diverse divers nonbinary non-binary unknown maennlich weiblich mann
    frau herr homme femme masculin feminin masculino femenino hombre mujer maschio femmina uomo donna vrouw
    """
GENDERS = frozenset(_GENDERS.split())


@cache
def first_names() -> frozenset[str]:
    """English first names and their short forms, about two thousand."""
    return frozenset(name for t in name_triplets() for name in (t.name1, t.name2))


def share(values: Sequence[Any], test: Callable[[Any], bool]) -> float:
    """The share of values that pass; 0 for no values."""
    return sum(map(test, values)) / len(values) if values else 0.0


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: bool(pattern.match(str(value).strip()))


def _digits(text: str) -> int:
    return sum(c.isdigit() for c in text)


def is_phone(value: Any) -> bool:
    """Seven to fifteen digits in the signs that phone numbers are written with, perhaps an extension; no date.

    >>> is_phone("+49 (0)30 123456"), is_phone("983.566.0706x9509"), is_phone("2020-01-31"), is_phone("12345")
    (True, True, False, False)
    """
    text = str(value).strip()
    return bool(PHONE.match(text)) and 7 <= _digits(text) <= 21 and not DATE_TEXT.match(text)


def is_gender(value: Any) -> bool:
    """A word or letter for a gender."""
    return anyascii(str(value)).strip().casefold() in GENDERS


def is_time(value: Any) -> bool:
    """A date, or a text that is written like one."""
    return isinstance(value, date) or bool(DATE_TEXT.match(str(value).strip()))


def is_birth(today: date) -> Callable[[Any], bool]:
    """A date on which somebody who may still be a customer was born."""

    def born(value: Any) -> bool:
        if isinstance(value, date):
            day = value.date() if isinstance(value, datetime) else value
            return date(today.year - 120, 1, 1) <= day <= today
        return bool(DATE_TEXT.match(str(value).strip()))

    return born


def is_word(value: Any) -> bool:
    """One or more words of letters, no digits: what names of people and places are made of."""
    parts = str(value).replace(",", " ").split()
    return 0 < len(parts) <= 6 and all(WORD.match(part) for part in parts)


def is_full_name(value: Any) -> bool:
    """Two to six words of letters."""
    return is_word(value) and len(str(value).replace(",", " ").split()) > 1


def is_known_first_name(value: Any) -> bool:
    """One word that is a first name."""
    return str(value).strip().casefold() in first_names()


def holds_known_first_name(value: Any) -> bool:
    """Several words, one of which is a first name."""
    parts = str(value).casefold().replace(",", " ").split()
    return len(parts) > 1 and is_word(value) and any(part in first_names() for part in parts)


def is_text(value: Any) -> bool:
    """A text with a letter in it."""
    return isinstance(value, str) and any(c.isalpha() for c in value)


def is_within(low: float, high: float) -> Callable[[Any], bool]:
    """A number between two ends."""

    def within(value: Any) -> bool:
        try:
            return low <= float(value) <= high
        except (TypeError, ValueError):
            return False

    return within


def anything(value: Any) -> bool:
    """No test: the name alone decides."""
    return not isinstance(value, bool)


def is_code(value: Any) -> bool:
    """A text or whole number with digits, e.g. a passport number."""
    return isinstance(value, (str, int, Decimal)) and not isinstance(value, bool) and _digits(str(value)) >= 4


TESTS: dict[str, Callable[[Any], bool]] = {
    "Person.FullName": is_full_name,
    "Person.FirstName": is_word,
    "Person.MiddleName": is_word,
    "Person.LastName": is_word,
    "Person.Gender": is_gender,
    "Person.ProfileImage": is_text,
    "Identity.Service.Email": _matches(EMAIL),
    "Identity.Service.Phone": is_phone,
    "Identity.Service.Facebook": is_text,
    "Identity.Service.Twitter": is_text,
    "Identity.GovernmentID": is_code,
    "Location.Address": is_text,
    "Location.AddressStreet": is_text,
    "Location.City": is_word,
    "Location.County": is_word,
    "Location.State": is_word,
    "Location.Province": is_word,
    "Location.Region": is_text,
    "Location.Country": is_word,
    "Location.Continent": is_word,
    "Location.PostalCode": _matches(POSTCODE),
    "Location.Latitude": is_within(-90, 90),
    "Location.Longitude": is_within(-180, 180),
    "Location.Timezone": _matches(TIMEZONE),
    "Measurement.DateCreation": is_time,
    "Measurement.DateModify": is_time,
    "Reference.URL": _matches(URL),
    "Reference.ImageURL": _matches(IMAGE_URL),
    "Reference.Description": is_text,
    "Reference.Phonetic": is_text,
    "Calendar.Date": is_time,
    "Calendar.Year": is_within(1900, 2200),
    "Calendar.Month": is_within(1, 12),
    "Calendar.Week": is_within(1, 53),
    "Calendar.Quarter": is_within(1, 4),
    "Organization.Name": is_text,
    "Brand": is_text,
    "BarCode": is_code,
    "Image": is_text,
    "Place": is_text,
    "Product": is_text,
}
"""Label to the test that its values pass. Person.BirthDate needs today's date: see is_birth."""
