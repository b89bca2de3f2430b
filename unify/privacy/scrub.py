"""Texts and rows that name somebody, without them."""

import json
import re
from typing import Any

from unify.privacy.person import LEAST, Person

GONE = "[erased]"


class Scrub:
    """For one person. A text loses the values that nobody else has; a list loses items that are the person."""

    def __init__(self, who: Person) -> None:
        self.names = {*who.ids, *(f"{entity}:{key}" for entity, keys in who.rows.items() for key in keys)}
        self.pairs = {(entity, key) for entity, keys in who.rows.items() for key in keys}
        inside = sorted({*who.values, *who.ids}, key=lambda v: (-len(v), v))
        self._inside = re.compile("|".join(f"(?<!\\w){re.escape(v)}(?!\\w)" for v in inside)) if inside else None
        self.values = {*who.values}

    def text(self, text: str) -> str:
        """Without their values, wherever they stand as words."""
        return self._inside.sub(GONE, text) if self._inside is not None and len(text) >= LEAST else text

    def json(self, text: str) -> str:
        """The same of a JSON document: in its texts, and in its lists whole items."""
        try:
            document = json.loads(text)
        except ValueError:
            return self.text(text)
        clean = self.value(document)
        return text if clean == document else json.dumps(clean, ensure_ascii=False)

    def value(self, value: Any) -> Any:
        """The same of what a JSON document holds. A decision that names them is withdrawn."""
        if isinstance(value, str):
            return GONE if value in self.names else self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value if not (isinstance(item, str) and item in self.names)]
        if isinstance(value, dict):
            if "verdict" in value and any(tuple(record) in self.pairs for record in value.get("records", ())):
                return {"withdrawn": True}
            return {self.text(key): self.value(item) for key, item in value.items()}
        return value
