"""Making the vendor's models by the names of their fields."""

from typing import Any, TypeVar

from unify.spec.wire import Wire

W = TypeVar("W", bound=Wire)


def told(model: type[W], /, **values: Any) -> W:
    """`told(InstanceInfo, instance_id="acme")`. By itself a model reads the vendor's spelling only: in a body another
    one is an unknown key."""
    return model.model_validate(values, by_alias=False, by_name=True)
