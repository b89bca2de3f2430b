"""The tables of docs/normalisers-and-comparisons.md, from the same rows that run. A test holds the page to them."""

from unify.conflation.compare import COMPARISONS
from unify.conflation.normalize import NORMALIZERS


def normalizer_table() -> str:
    """One Markdown row per normaliser: key, what it does, examples."""
    rows = ["| normaliser | what it does | examples |", "|---|---|---|"]
    for row in NORMALIZERS.values():
        examples = ", ".join(f"{_code(given)} → {_code(made)}" for given, made in row.examples)
        rows.append(f"| `{row.key}` | {_cell(row.sentence)} | {examples} |")
    return "\n".join(rows) + "\n"


def comparison_table() -> str:
    """One Markdown row per comparison: key, what it measures, examples with their score, its part of a sentence."""
    rows = ["| comparison | score | examples | reads as |", "|---|---|---|---|"]
    for row in COMPARISONS.values():
        examples = ", ".join(f"{_code(a)} · {_code(b)} = {score:.3g}" for a, b, score in row.examples)
        rows.append(f"| `{row.key}` | {_cell(row.about)} | {examples} | {row.says.format(precision='P', within='W')} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    """Text that may hold a bar or a backtick of its own: those of the symbols list."""
    return text.replace("|", "\\|").replace(" `", " &#96;") if text.endswith("`") else text.replace("|", "\\|")


def _code(text: str | None) -> str:
    if text is None:
        return "no value"
    shown = text.replace("\t", "⇥").replace("\u00a0", "⍽").replace("\u2003", "⍽").replace("|", "\\|")
    return f"`{shown}`" if shown.strip() else "blanks"
