"""How benchmarks run the engine: as any user does, through an instance on disk."""

from pathlib import Path

import unify
from unify.spec import Project


def run_project(project: Project, base: Path) -> Path:
    """Run a project whose files are relative to `base`; the generation it published, a DuckDB file."""
    with unify.open(base / (project.instance or "instance"), create=True) as instance:
        instance.run(project, base=base)
        published = instance.status().published
    if published is None:
        raise AssertionError("the run ended without an error and published nothing")
    return published.path
