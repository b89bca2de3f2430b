"""The memberships routes in the OpenAPI document; unify.service.hot.room answers them."""

from typing import Any, Final

PATH: Final = "/v1/instances/{instanceId}/memberships"
TAG: Final = "Memberships"
TEXTS: Final = {"type": "array", "items": {"type": "string"}}
INSTANCE: Final = {"name": "instanceId", "in": "path", "required": True, "schema": {"type": "string"}}
CUSTOMER: Final = "A CustomerId, also a retired one, or a record: `crm.Contacts:C-1`."
ABOUT: Final = {
    "generation": {"type": "integer", "description": "Of which the answer is."},
    "state": {"type": "string", "description": "Names the members that are in force."},
}
SCHEMAS: Final[dict[str, Any]] = {
    "Memberships": {
        "type": "object",
        "required": ["generation", "state", "customerId", "segments"],
        "properties": {**ABOUT, "customerId": {"type": "string"}, "segments": TEXTS},
        "additionalProperties": False,
    },
    "MembershipsAsked": {
        "type": "object",
        "required": ["customers"],
        "properties": {
            "customers": {**TEXTS, "minItems": 1, "description": CUSTOMER},
            "segments": {
                "anyOf": [TEXTS, {"type": "null"}],
                "description": "Those to look at; null or absent: all in force.",
            },
        },
        "additionalProperties": False,
    },
    "MembershipsOfMany": {
        "type": "object",
        "required": ["generation", "state", "value"],
        "properties": {
            **ABOUT,
            "value": {
                "type": "array",
                "description": "In the order of the customers asked for.",
                "items": {
                    "type": "object",
                    "required": ["customer", "customerId", "segments"],
                    "properties": {
                        "customer": {"type": "string"},
                        "customerId": {"type": ["string", "null"], "description": "Null: there is nobody."},
                        "segments": TEXTS,
                    },
                    "additionalProperties": False,
                },
            },
        },
        "additionalProperties": False,
    },
}


def describe(document: dict[str, Any], refusals: dict[str, Any]) -> None:
    """Write them into a document. `refusals`: the responses that every operation may give."""
    document["components"]["schemas"] |= SCHEMAS
    customer = {"name": "customer", "in": "path", "required": True, "description": CUSTOMER}
    segment = {"name": "segment", "in": "query", "required": False, "description": "Once for each; none: all in force."}
    document["paths"][f"{PATH}/{{customer}}"] = {
        "get": {
            "tags": [TAG],
            "operationId": "get_memberships",
            "summary": "The segments that a customer is in",
            "description": "From memory; `ETag` names generation and state, `If-None-Match` is answered 304.",
            "parameters": [
                INSTANCE,
                {**customer, "schema": {"type": "string", "minLength": 1}},
                {**segment, "schema": TEXTS, "style": "form", "explode": True},
            ],
            "responses": {"200": _answer("Memberships"), "304": {"description": "Not changed."}, **refusals},
        }
    }
    document["paths"][f"{PATH}/check"] = {
        "post": {
            "tags": [TAG],
            "operationId": "check_memberships",
            "summary": "Many customers against many segments",
            "description": "All of one answer is of one snapshot; a million checks at most.",
            "parameters": [INSTANCE],
            "requestBody": {"required": True, "content": _json("MembershipsAsked")},
            "responses": {"200": _answer("MembershipsOfMany"), **refusals},
        }
    }


def _answer(schema: str) -> dict[str, Any]:
    return {"description": "The answer.", "content": _json(schema)}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
