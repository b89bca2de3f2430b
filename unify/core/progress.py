"""How long work tells somebody how far it is: one callback, given down from the face that shows it."""

from collections.abc import Callable

Progress = Callable[[str, str], None]
"""Called with (stage, sentence) whenever a step starts, e.g. ("match", "compare by e-mail")."""


def silent(stage: str, sentence: str) -> None:
    """The default: say nothing."""
