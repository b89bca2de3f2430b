"""Writing a page to a file."""

from pathlib import Path

from unify.core.errors import StoreError


def write_text(path: Path, text: str) -> Path:
    """Write the text, replacing what was there; returns the absolute path. StoreError when it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        where, hint = str(path), "choose another file"
        raise StoreError(f"cannot be written: {error.strerror}", where=where, hint=hint) from None
    return path.absolute()
