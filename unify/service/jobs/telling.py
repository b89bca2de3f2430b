"""What a job says of an error: what, where and the next move, without places of this machine."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from unify.core.errors import UnifyError

_ABSOLUTE: Final = re.compile(r"(?<![\w/:.])/(?:[^\s/:'\"`,;()]+/)+([^\s/:'\"`,;()]+)")
"""A path from the root of a disk, with the last part of it; no URL."""
INSIDE: Final = {
    "error": "InternalError",
    "message": "the job failed inside; the service's log has the place",
    "where": "",
    "hint": "what was published before is served; submit the job again, and report it if it fails again",
}


def told(error: UnifyError, folders: Mapping[str, Path]) -> dict[str, str]:
    """An error as the API shows it. `folders`: what stands in the place of paths, e.g. nothing for the instance's."""
    return {key: without_places(str(text), folders) for key, text in error.as_dict().items() if key in INSIDE}


CONSTANT: Final = ("InternalError", "ProcessDiedError")
"""Errors whose words are ours alone."""
_NAMES: Final = re.compile(r"[\w.-]+(?: -> [\w.-]+)?")


def without_values(error: Mapping[str, str], *, names: bool) -> dict[str, str]:
    """An error for somebody who may not see all rows: its kind and its place, without words that may quote a value.

    names   whether the place may be told

    >>> said = without_values({"error": "SourceError", "message": "'x' is no date", "where": "crm.Orders"}, names=True)
    >>> said["where"], "'x'" in str(said)
    ('crm.Orders', False)
    """
    if error.get("error") in CONSTANT:
        return dict(error)
    where = error.get("where", "") if names and _NAMES.fullmatch(error.get("where", "")) else ""
    return {"error": error.get("error", ""), "message": "the details may quote values that you may not see",
            "where": where, "hint": "a steward who may see all columns and rows can read them"}  # fmt: skip


def without_places(text: str, folders: Mapping[str, Path]) -> str:
    """A text whose paths are relative to known folders; of any other path the last part is left.

    >>> without_places("/srv/root/acme/incoming/a.csv: line 3 of /data/ann/b.csv", {"": Path("/srv/root/acme")})
    'incoming/a.csv: line 3 of …/b.csv'
    """
    for name, folder in sorted(folders.items(), key=lambda item: -len(str(item[1]))):
        shown = f"{name}/" if name else ""
        text = text.replace(f"{folder}/", shown).replace(str(folder), name or "the instance")
    return _ABSOLUTE.sub(r"…/\1", text)
