"""What is wrong with definitions before a run finds members: on the empty tables of `validate`, on a generation."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from segments.membership.declared import Declared, with_parts
from segments.membership.stage import Stage
from segments.model import Model
from unify.core.engine import Engine
from unify.core.errors import UnifyError
from unify.spec.segment import Segment


def segment_problems(
    engine: Engine, model: Model, segments: Mapping[str, Segment], clock: datetime
) -> Iterator[UnifyError]:
    """Why active segments cannot be found, or what they project not be exported. `engine` has the tables, rows or none.

    Lists that stand in files are part of the definitions or in `listed_customers`. Inactive segments may be
    drafts: they are not looked at.
    """
    try:
        declared = with_parts({name: Declared(name, segment) for name, segment in segments.items()})
    except UnifyError as error:
        yield error
        return
    stage = Stage(engine, model, declared, 0, clock, lambda _: None)
    yield from (found.error for found in stage.everything() if found.error is not None)
    for name, one in declared.items():
        if one.in_force(clock):
            try:
                check_projected(one.segment, model, name)
            except UnifyError as error:
                yield error


def check_projected(segment: Segment, model: Model, name: str) -> None:
    """QueryError when related rows that go out with members are not there. Members are found all the same."""
    from segments.membership.export import members_rows, projected_by

    try:
        projected = projected_by(segment, model)
        members_rows(model, model.catalog.customers, None, projected, "parquet")
    except UnifyError as error:
        query = "query." if error.where.startswith("projectedAttributes") else ""
        error.where = f"segments.{name}.{query}{error.where}"
        raise
