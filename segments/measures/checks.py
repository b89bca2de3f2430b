"""What is wrong with measures and can be known before there are customers. The rest is found on their columns."""

from segments.measures.templates import expand
from unify.core.errors import SpecError
from unify.core.problems import Problem
from unify.spec import Project


def measure_problems(project: Project) -> list[Problem]:
    """Measures without customers, and templates that no activity suits."""
    problems = []
    if project.measures and project.conflation is None:
        hint = "add a conflation plan; without customers there is nothing to measure"
        problems.append(Problem("measures", "there is no conflation plan", hint))
    seen: dict[str, str] = {}
    for name, measure in project.measures.items():
        if (other := seen.setdefault(name.casefold(), name)) != name:
            message = f"{other} and {name} differ only in case"
            problems.append(Problem(f"measures.{name}", message, "call one otherwise"))
        if measure.active and measure.template is not None:
            try:
                expand(project, name, measure)
            except SpecError as error:
                problems.append(Problem(error.where or f"measures.{name}", error.message, error.hint))
    return problems


def check_measures(project: Project) -> None:
    """SpecError with a line for each of them."""
    if problems := measure_problems(project):
        raise SpecError("\n".join(map(str, problems)))
