"""Custom APIs: operations that others add, what is called along with them, and the events of the product.

@custom_api, @plugin, @step      decorator.py      definitions as Python, loaded when the configuration names them
customapi, …step, …endpoint      definitions.py    definitions as rows, held against rules.py
        │
Pipeline.call(Request)           pipeline.py       10 ─ 20 ─ 30 main ─ 40 ─ commit ─ asynchronous steps (queue.py)
        │
webhooks                         remote.py         the context of an operation, as Dataverse sends it
"""

from unify.custom.context import Context, Who
from unify.custom.decorator import Money, Named, Picklist, custom_api, event, plugin, step
from unify.custom.errors import OperationRefused
from unify.custom.loading import Loaded, collected, load
from unify.custom.nouns import (
    CustomApi,
    Entity,
    EntityCollection,
    EntityReference,
    Field,
    FieldType,
    Image,
    Mode,
    Stage,
    Step,
)
from unify.custom.pipeline import Answer, Pipeline, Request
from unify.custom.watchers import STEPS, watch

watch()

__all__ = [
    "STEPS", "Answer", "Context", "CustomApi", "Entity", "EntityCollection", "EntityReference", "Field", "FieldType",
    "Image", "Loaded", "Mode", "Money", "Named", "OperationRefused", "Picklist", "Pipeline", "Request", "Stage", "Step",
    "Who", "collected", "custom_api", "event", "load", "plugin", "step",
]  # fmt: skip
