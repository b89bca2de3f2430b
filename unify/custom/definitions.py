"""Rows of definitions as they are written: each is held against its rules, and brings what hangs on it.

An API brings its message, which steps are registered on, and takes it along when it goes.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from unify.custom import rules
from unify.custom.endpoints import check_endpoint
from unify.custom.errors import NAME_TAKEN, invalid
from unify.custom.installing import filter_row, message_row
from unify.custom.nouns import Binding, CustomApi, StepsAllowed
from unify.custom.privileges import check_privilege
from unify.custom.registered import field_of, rows_of_apis
from unify.custom.steps import check_image, check_step
from unify.custom.types import id_of
from unify.dataverse.model import model_of
from unify.dataverse.writes.watching import Happening
from unify.records import Value, Writing

TABLES: Final = frozenset(
    {
        "customapi",
        "customapirequestparameter",
        "customapiresponseproperty",
        "sdkmessageprocessingstep",
        "sdkmessageprocessingstepimage",
        "serviceendpoint",
        "catalog",
        "catalogassignment",
    }
)
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "customapi": ("uniquename", "name", "displayname", "description"),
    "customapirequestparameter": ("uniquename", "name", "displayname", "customapiid"),
    "customapiresponseproperty": ("uniquename", "name", "displayname", "customapiid"),
    "sdkmessageprocessingstep": ("sdkmessageid",),
    "sdkmessageprocessingstepimage": ("entityalias", "sdkmessageprocessingstepid"),
    "serviceendpoint": ("name", "url"),
    "catalog": ("uniquename", "name", "displayname", "description"),
    "catalogassignment": ("catalogid", "object"),
}
"""Columns that a row has to have."""
SWITCHED: Final = frozenset({"statecode", "statuscode", "modifiedon", "modifiedby"})
"""What may be changed of a managed step: whether it is called."""


def check(happening: Happening) -> None:
    """Before a row is written. DataverseError 400, in Dataverse's words."""
    table, said = happening.table.name, happening.values
    was: Mapping[str, Value] = happening.before.values if happening.before is not None else {}
    if happening.message != "Create":
        _check_managed(happening, was)
    if happening.message == "Delete":
        return
    rules.check_unchanged(table, was, said) if was else None
    row = {**was, **said}
    for column in NEEDED[table]:
        if row.get(column) is None:
            raise invalid(f"Required field '{column}' is missing for {table}.", where=column)
    _CHECKS[table](happening, row)


def follow(happening: Happening) -> None:
    """After it was written."""
    if happening.table.name == "customapi" and happening.message == "Delete" and happening.before is not None:
        name = str(happening.before.values["uniquename"])
        _drop_message(happening.session.writing, id_of("sdkmessage", name))


def _check_managed(happening: Happening, was: Mapping[str, Value]) -> None:
    """Rows of loaded code are not changed or deleted, unless they say that they are customizable."""
    if not was.get("ismanaged") or (was.get("iscustomizable") and happening.message == "Update"):
        return
    if happening.table.name == "sdkmessageprocessingstep" and happening.values and happening.values.keys() <= SWITCHED:
        return
    raise rules.managed(happening.table.name, happening.id, happening.message)


# ── APIs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_api(happening: Happening, row: dict[str, Value]) -> None:
    writing = happening.session.writing
    model = model_of(writing)
    api = _api_of(row)
    rules.check_api(api, model.tables)
    if api.privilege is not None:
        check_privilege(api.privilege, model)
    if happening.message != "Create":
        return
    _check_taken(happening, "customapi", api.name, "A custom API")
    message = message_row(api.name, managed=False)
    if writing.get("sdkmessage", (message["sdkmessageid"],)) is None:
        writing.insert("sdkmessage", [message])
    if api.entity is not None:
        filtered = filter_row(api.name, api.entity, managed=False)
        if writing.get("sdkmessagefilter", (filtered["sdkmessagefilterid"],)) is None:
            writing.insert("sdkmessagefilter", [filtered])
    happening.values["sdkmessageid"] = message["sdkmessageid"]


def _api_of(row: Mapping[str, Value]) -> CustomApi:
    return CustomApi(
        name=str(row["uniquename"]),
        binding=Binding(int(str(row.get("bindingtype") or 0))),
        entity=str(row["boundentitylogicalname"]) if row.get("boundentitylogicalname") else None,
        is_function=bool(row.get("isfunction")),
        steps=StepsAllowed(int(str(row.get("allowedcustomprocessingsteptype") or 0))),
        privilege=str(row["executeprivilegename"]) if row.get("executeprivilegename") else None,
        in_workflows=bool(row.get("workflowsdkstepenabled")),
    )


def _check_field(happening: Happening, row: dict[str, Value]) -> None:
    writing = happening.session.writing
    response = happening.table.name == "customapiresponseproperty"
    key = str(row["customapiid"])
    api = rows_of_apis(writing).get(key)
    if api is None:
        raise invalid(f"customapi With Id = {key} Does Not Exist", where="customapiid", code="0x80040217")
    if happening.message != "Create":
        return
    field = field_of({"displayname": None, "description": None, "logicalentityname": None, **row})
    rules.check_field(api, field, api.properties if response else api.parameters, response=response)
    rules.check_tables(CustomApi(api.name, parameters=(field,)), model_of(writing).tables)
    parent = writing.get("customapi", (key,))
    assert parent is not None
    if not response and parent.values["ismanaged"] and not parent.values["iscustomizable"]:
        rules.check_optional(api.name, field)


def _drop_message(writing: Writing, message: str) -> None:
    """With its filters and what was registered on it."""
    steps = [r for r in writing.rows("sdkmessageprocessingstep") if r.values["sdkmessageid"] == message]
    ids = {row.values["sdkmessageprocessingstepid"] for row in steps}
    for image in list(writing.rows("sdkmessageprocessingstepimage")):
        if image.values["sdkmessageprocessingstepid"] in ids:
            writing.delete("sdkmessageprocessingstepimage", (image.values["sdkmessageprocessingstepimageid"],))
    for id_ in sorted(map(str, ids)):
        writing.delete("sdkmessageprocessingstep", (id_,))
    for row in list(writing.rows("sdkmessagefilter")):
        if row.values["sdkmessageid"] == message:
            writing.delete("sdkmessagefilter", (row.values["sdkmessagefilterid"],))
    if writing.get("sdkmessage", (message,)) is not None:
        writing.delete("sdkmessage", (message,))


# ── catalogs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_catalog(happening: Happening, row: dict[str, Value]) -> None:
    name = str(row["uniquename"])
    rules.check_unique_name(name, "Catalog")
    parent = row.get("parentcatalogid")
    if parent is not None:
        above = happening.session.writing.get("catalog", (parent,))
        if above is not None and above.values["parentcatalogid"] is not None:
            raise invalid(
                "A catalog has two levels: the parent catalog of a category cannot be a category itself.",
                where="parentcatalogid",
                hint="name the catalog of the solution as the parent",
            )
    if happening.message == "Create":
        _check_taken(happening, "catalog", name, "A catalog")


def _check_assignment(happening: Happening, row: dict[str, Value]) -> None:
    writing = happening.session.writing
    catalog = writing.get("catalog", (row["catalogid"],))
    if catalog is not None and catalog.values["parentcatalogid"] is None:
        raise invalid(
            "A catalog assignment belongs to a category: a catalog that has a parent catalog.",
            where="catalogid",
            hint="make a category below this catalog, and assign to that",
        )
    others = (r.values for r in writing.rows("catalogassignment") if r.values["catalogassignmentid"] != happening.id)
    if any(o["catalogid"] == row["catalogid"] and o["object"] == row["object"] for o in others):
        raise invalid("This event is assigned to the catalog already.", where="object", code=NAME_TAKEN)


def _check_taken(happening: Happening, table: str, name: str, what: str) -> None:
    rows = happening.session.writing.rows(table)
    if any(str(row.values["uniquename"]).casefold() == name.casefold() for row in rows):
        raise invalid(f"{what} with the unique name '{name}' already exists.", where="uniquename", code=NAME_TAKEN)


def _check_step(happening: Happening, row: dict[str, Value]) -> None:
    check_step(happening.session.writing, happening.values, row)


def _check_image(happening: Happening, row: dict[str, Value]) -> None:
    check_image(happening.session.writing, row)


def _check_endpoint(happening: Happening, row: dict[str, Value]) -> None:
    check_endpoint(happening.values, row)


_CHECKS: Final[Mapping[str, Callable[[Happening, dict[str, Value]], Any]]] = {
    "customapi": _check_api,
    "customapirequestparameter": _check_field,
    "customapiresponseproperty": _check_field,
    "sdkmessageprocessingstep": _check_step,
    "sdkmessageprocessingstepimage": _check_image,
    "serviceendpoint": _check_endpoint,
    "catalog": _check_catalog,
    "catalogassignment": _check_assignment,
}
