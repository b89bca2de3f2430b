"""Loaded code as rows: its APIs, plug-in types and steps, and the messages, filters and tables that rows name.

These rows are managed: they are what the code says, are made again when it changes, and go when it is not loaded any
more. What users made beside them stays, unless the message that it hangs on goes.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from unify.custom.loading import Loaded
from unify.custom.nouns import CustomApi, Field, Step
from unify.custom.registered import stamp_of
from unify.custom.types import id_of
from unify.dataverse.model import Model, model_of, ready
from unify.dataverse.model.shipping import is_ready
from unify.dataverse.writes import organization_of
from unify.records import Reading, RecordStore, Value, Writing
from unify.records.stamped import Stamped

Rows = dict[str, dict[str, dict[str, Value]]]
"""Table → id → values."""
ORDER: Final = (
    "entity", "plugintype", "sdkmessage", "sdkmessagefilter", "customapi", "customapirequestparameter",
    "customapiresponseproperty", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage", "catalog",
    "catalogassignment",
)  # fmt: skip
WRITES: Final = ("Create", "Update", "Delete")
YOURS: Final = frozenset({"name", "displayname", "description", "isprivate", "executeprivilegename"})
"""Columns of a customizable API that others may have changed."""
SWITCH: Final = frozenset({"statecode", "statuscode"})
"""Of a step: whether it is called is for whoever runs the instance to say."""
HANGS_ON: Final = (
    ("customapirequestparameter", "customapiid"), ("customapiresponseproperty", "customapiid"),
    ("catalogassignment", "object"), ("sdkmessagefilter", "sdkmessageid"),
    ("sdkmessageprocessingstepimage", "sdkmessageprocessingstepid"), ("sdkmessageprocessingstep", "sdkmessageid"),
    ("sdkmessageprocessingstep", "eventhandler"),
)  # fmt: skip
_DONE: Final[Stamped[bool]] = Stamped()


def install(store: RecordStore, loaded: Loaded) -> None:
    """Bring the rows to what is loaded. One short read when they are; tables are made where there are none."""
    with store.read() as reading:
        if is_ready(reading) and _done(reading, loaded):
            return
    ready(store)
    with store.write() as writing:
        for table, id_ in _surplus(writing, loaded):
            _remove(writing, table, id_)
        _put(writing, loaded)


def _done(reading: Reading, loaded: Loaded) -> bool:
    """Worked out once for each state of the rows."""

    def same() -> bool:
        nothing_more = next(_surplus(reading, loaded), None) is None
        return nothing_more and not any(True for _ in _differences(reading, loaded))

    # What was found different is put right at once, which gives another stamp: an answer is never out of date.
    return _DONE.of(f"{loaded.token} {stamp_of(reading)}", same)


def _differences(reading: Reading, loaded: Loaded) -> Iterator[tuple[str, str, dict[str, Value], bool]]:
    """Table, id, values and whether the row is there already."""
    wanted = desired(reading, loaded)
    for table in ORDER:
        for id_, row in wanted[table].items():
            held = reading.get(table, (id_,))
            if held is None:
                yield table, id_, row, False
                continue
            keep = SWITCH if table == "sdkmessageprocessingstep" else frozenset()
            if table == "customapi" and row.get("iscustomizable"):
                keep = YOURS
            new = {n: v for n, v in row.items() if n not in keep and held.values.get(n) != v}
            if new:
                yield table, id_, new, True


def _put(writing: Writing, loaded: Loaded) -> None:
    now = datetime.now(UTC)
    for table, id_, values, there in list(_differences(writing, loaded)):
        known = writing.table(table).names
        times = ("modifiedon",) if there else ("createdon", "modifiedon")
        row: dict[str, Value] = {**values, **{name: now for name in times if name in known}}
        if there:
            writing.update(table, (id_,), row)
        else:
            writing.insert(table, [{**_owner(writing, known), **row}])


def _owner(writing: Writing, known: tuple[str, ...]) -> dict[str, Value]:
    """Managed rows that are somebody's are the default team's."""
    if "ownerid" not in known:
        return {}
    team = next(row for row in writing.rows("team") if row.values["isdefault"])
    return {
        "ownerid": team.values["teamid"], "owneridtype": "team", "owningteam": team.values["teamid"],
        "owningbusinessunit": organization_of(writing)[1],
    }  # fmt: skip


def _surplus(reading: Reading, loaded: Loaded) -> Iterator[tuple[str, str]]:
    """Managed rows that nothing declares any more."""
    wanted = desired(reading, loaded)
    for table in reversed(ORDER):
        key = reading.table(table).key[0]
        for row in reading.rows(table):
            id_ = str(row.values[key])
            if row.values["ismanaged"] and id_ not in wanted[table]:
                yield table, id_


def _remove(writing: Writing, table: str, id_: str) -> None:
    """A row, and what hangs on it."""
    if writing.get(table, (id_,)) is None:
        return
    column = writing.table(table).key[0]
    for other, lookup in HANGS_ON:
        if lookup == column or (lookup == "object" and table in ("customapi", "entity")) or (
            lookup == "eventhandler" and table == "plugintype"
        ):  # fmt: skip
            key = writing.table(other).key[0]
            for row in [r for r in writing.rows(other) if r.values[lookup] == id_]:
                _remove(writing, other, str(row.values[key]))
    writing.delete(table, (id_,))


# ── what there is to be ──────────────────────────────────────────────────────────────────────────────────────────────


def desired(reading: Reading, loaded: Loaded) -> Rows:
    """The rows of what is loaded. An API whose table is not there, or whose name a user took, is left out."""
    model = model_of(reading)
    taken = {str(r.values["uniquename"]) for r in reading.rows("customapi") if not r.values["ismanaged"]}
    apis = [
        api
        for api in loaded.apis.values()
        if api.name not in taken and (api.entity is None or api.entity in model.tables)
    ]
    found: Rows = {table: {} for table in ORDER}
    _messages(found, model, [api.name for api in apis], {api.name: api.entity for api in apis})
    for name, plugin in sorted(loaded.plugins.items()):
        id_ = id_of("plugintype", name)
        found["plugintype"][id_] = _managed(
            plugintypeid=id_, name=name[:256], typename=name[:256], friendlyname=(plugin.label or name)[:256],
            assemblyname=loaded.assemblies.get(name, "")[:100], version="1.0.0.0",
        )  # fmt: skip
    for api in apis:
        _api(found, api)
    for step in loaded.steps:
        if step.entity is None or step.entity in model.tables:
            _step(found, step)
    _catalog(found, [api for api in apis if api.event_only])
    return found


def _managed(**values: Value) -> dict[str, Value]:
    return {**values, "ismanaged": True}


def _messages(found: Rows, model: Model, names: list[str], bound: Mapping[str, str | None]) -> None:
    for table in model.tables.values():
        found["entity"][table.id] = _managed(
            entityid=table.id, name=table.schema_name, logicalname=table.name, entitysetname=table.set_name
        )
    for name in (*WRITES, *names):
        id_ = id_of("sdkmessage", name)
        found["sdkmessage"][id_] = message_row(name)
    pairs = [(name, table.name) for table in model.tables.values() if table.writable for name in WRITES]
    pairs += [(name, table) for name, table in bound.items() if table is not None]
    for name, table_name in pairs:
        row = filter_row(name, table_name)
        found["sdkmessagefilter"][str(row["sdkmessagefilterid"])] = row


def message_row(name: str, *, managed: bool = True) -> dict[str, Value]:
    """The message of an API, or one of writes."""
    return {"sdkmessageid": id_of("sdkmessage", name), "name": name, "isactive": True, "ismanaged": managed}


def filter_row(name: str, table: str, *, managed: bool = True) -> dict[str, Value]:
    """A message on one table."""
    return {
        "sdkmessagefilterid": id_of("sdkmessagefilter", name, table), "name": f"{name} of {table}",
        "sdkmessageid": id_of("sdkmessage", name), "primaryobjecttypecode": table,
        "iscustomprocessingstepallowed": True, "ismanaged": managed,
    }  # fmt: skip


def _api(found: Rows, api: CustomApi) -> None:
    id_ = id_of("customapi", api.name)
    found["customapi"][id_] = _managed(
        customapiid=id_, uniquename=api.name, name=api.name[:100], displayname=api.label[:100],
        description=api.description[:300], bindingtype=int(api.binding), boundentitylogicalname=api.entity,
        isfunction=api.is_function, isprivate=api.is_private, allowedcustomprocessingsteptype=int(api.steps),
        executeprivilegename=api.privilege, workflowsdkstepenabled=api.in_workflows,
        plugintypeid=id_of("plugintype", api.plugin) if api.plugin is not None else None,
        sdkmessageid=id_of("sdkmessage", api.name), iscustomizable=api.customizable, statecode=0, statuscode=1,
    )  # fmt: skip
    for field in api.parameters:
        table = "customapirequestparameter"
        found[table][id_of(table, api.name, field.name)] = {**_field(table, api, field), "isoptional": field.optional}
    for field in api.properties:
        table = "customapiresponseproperty"
        found[table][id_of(table, api.name, field.name)] = _field(table, api, field)


def _field(table: str, api: CustomApi, field: Field) -> dict[str, Value]:
    given: dict[str, Value] = {f"{table}id": id_of(table, api.name, field.name)}
    return given | _managed(
        uniquename=field.name, name=f"{api.name}.{field.name}"[:100], displayname=field.label[:100],
        description=field.description[:300], type=int(field.type), logicalentityname=field.entity,
        customapiid=id_of("customapi", api.name), iscustomizable=False, statecode=0, statuscode=1,
    )  # fmt: skip


def _step(found: Rows, step: Step) -> None:
    handler = id_of("plugintype", step.plugin or "")
    filter_ = id_of("sdkmessagefilter", step.message, step.entity) if step.entity is not None else None
    found["sdkmessageprocessingstep"][step.id] = _managed(
        sdkmessageprocessingstepid=step.id, name=step.name[:256], stage=int(step.stage), mode=int(step.mode),
        rank=step.rank, filteringattributes=",".join(step.filtering) or None,
        sdkmessageid=id_of("sdkmessage", step.message), sdkmessagefilterid=filter_, eventhandler=handler,
        eventhandlertypecode="plugintype", plugintypeid=handler, iscustomizable=False, statecode=0, statuscode=1,
    )  # fmt: skip
    for image in step.images:
        id_ = id_of("image", step.id, image.alias, str(image.before))
        found["sdkmessageprocessingstepimage"][id_] = _managed(
            sdkmessageprocessingstepimageid=id_, name=image.alias, entityalias=image.alias,
            imagetype=0 if image.before else 1, attributes=",".join(image.attributes) or None,
            sdkmessageprocessingstepid=step.id, iscustomizable=False,
        )  # fmt: skip


def _catalog(found: Rows, events: list[CustomApi]) -> None:
    """The product's own events by category, under one catalog."""
    from unify.custom.events import CATEGORIES, ROOT

    shipped = {api.name: api for api in events}
    used = {name: names for name, names in CATEGORIES.items() if any(n in shipped for n in names)}
    if not used:
        return
    found["catalog"][id_of("catalog", ROOT)] = _group(
        ROOT, "Unify", "Customers, segments and runs of an instance", None
    )
    for name, names in used.items():
        label = name.partition("_")[2]
        found["catalog"][id_of("catalog", name)] = _group(name, label, f"Events of {label.lower()}", ROOT)
        for event in names:
            if event not in shipped:
                continue
            id_ = id_of("catalogassignment", name, event)
            found["catalogassignment"][id_] = _managed(
                catalogassignmentid=id_, name=event[:100], catalogid=id_of("catalog", name),
                object=id_of("customapi", event), objecttypecode="customapi", iscustomizable=False, statecode=0,
                statuscode=1,
            )  # fmt: skip


def _group(name: str, label: str, description: str, parent: str | None) -> dict[str, Value]:
    return _managed(
        catalogid=id_of("catalog", name), uniquename=name, name=label, displayname=label, description=description,
        parentcatalogid=id_of("catalog", parent) if parent is not None else None, iscustomizable=False, statecode=0,
        statuscode=1,
    )  # fmt: skip
