"""What the argument parser does not do by itself."""

from typing import Any

from typer.core import TyperCommand


class InitCommand(TyperCommand):
    """`--from a.csv b.csv`: every path up to the next option, as a shell expands `--from exports/*.csv`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option for each of its paths."""
        return super().parse_args(ctx, spread(args, "--from"))


def spread(args: list[str], option: str) -> list[str]:
    """The option before each of the values that follow it.

    >>> spread(["here", "--from", "a", "b", "--force"], "--from")
    ['here', '--from', 'a', '--from', 'b', '--force']
    """
    found: list[str] = []
    inside, first = False, False
    for arg in args:
        if arg == option:
            inside = first = True
        elif arg.startswith("-") and arg != "-":
            inside = first = False
        elif inside and not first:
            found.append(option)
        else:
            first = False
        found.append(arg)
        if arg != option:
            first = False
    return found
