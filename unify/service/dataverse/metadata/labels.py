"""Labels and managed properties: the small shapes that definitions are full of."""

from typing import Any, Final

from unify.dataverse.model import LANGUAGE, metadata_id

NO_LABEL: Final[dict[str, Any]] = {"LocalizedLabels": [], "UserLocalizedLabel": None}


def label(text: str, *path: str) -> dict[str, Any]:
    """A Label in the one language there is; `path`: what it is the label of, which its id is made of."""
    if not text:
        return NO_LABEL
    one = {
        "Label": text,
        "LanguageCode": LANGUAGE,
        "IsManaged": False,
        "MetadataId": metadata_id("label", *path),
        "HasChanged": None,
    }
    return {"LocalizedLabels": [one], "UserLocalizedLabel": dict(one)}


def managed(value: Any, name: str, *, changeable: bool = False) -> dict[str, Any]:
    """A managed property."""
    return {"Value": value, "CanBeChanged": changeable, "ManagedPropertyLogicalName": name}
