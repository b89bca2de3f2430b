"""Schemathesis over the OpenAPI document, in the process: nothing is a 5xx, every answer is what the document says.

Requests that fit the document and requests that do not. Names in paths are real ones most of the time, so that what
lies behind them is reached; the instance that may be deleted and reset is not the one with data.
"""

import asyncio
import contextlib
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from unify.service.app import Service
from unify.service.management.app import management_app
from unify.service.management.openapi import document
from unify.service.settings import Limits, Settings

CHECKS = (
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
)
NAMES = {
    "instanceId": (*("contoso",) * 10, "scratch", "nowhere"),
    "dataSourceId": ("crm", "web", "nothing"),
    "datasourceId": ("crm", "web", "nothing"),
    "entityName": ("Contacts", "crm_Contacts", "Orders", "Customer", "nothing"),
    "qualifiedEntityName": ("crm_Contacts", "web_Orders", "Customer", "nothing"),
    "attributeName": ("EMail", "DateOfBirth", "nothing"),
    "relationshipName": ("orders", "Customer_crm_Contacts", "nothing"),
    "conflationId": ("main", "main", "nothing"),
    "segmentName": ("big_spenders", "nothing"),
    "measureName": ("TotalSpend", "Revenue", "nothing"),
    "workflowName": ("main", "main", "nothing"),
    "fileName": ("a.csv", "b.jsonl", "nothing"),
}
IN_BODIES = {
    "entityName": ("Contacts", "Orders", "SignUps"),
    "datasourceId": ("crm", "web"),
    "fromEntityName": ("web_Orders", "web.Reviews", "nothing"),
    "toEntityName": ("web_SignUps", "crm_Contacts"),
    "fromAttributeName": ("UserId", "OrderId"),
    "toAttributeName": ("UserId", "EMail"),
    "attributeName": ("EMail", "City"),
    "conflationOrder": (["crm_Contacts"], ["crm_Contacts", "web_SignUps"]),
    "sourceEntityName": ("web_SignUps", "crm_Contacts"),
    "targetEntityName": ("crm_Contacts", "web_SignUps"),
    "sourceAttributes": (["EMail"], ["City", "Street"]),
    "targetAttributes": (["EMail"],),
    "instanceIdToCopy": ("contoso", "nowhere"),
    "qualifiedEntityName": ("Customer", "crm_Contacts"),
}
"""Values that lead somewhere, by key; put in the place of random ones of the same type."""
ENDS = ("delete_an_instance", "reset_an_instance")
SCHEMA = schemathesis.openapi.from_dict(document(management_app(), open_=True))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def send(tmp_path_factory: pytest.TempPathFactory, contoso_made: Path) -> Iterator[Callable[..., httpx.Response]]:
    """One request after the other, to one service that lives as long as these tests."""
    root = tmp_path_factory.mktemp("fuzzed") / "root"
    shutil.copytree(contoso_made, root / "contoso")
    service = Service(Settings(root=root, jobs=False, log_level="error", limits=Limits(seconds=5)))
    transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=transport, base_url="http://service")
        runner.run(service.__aenter__())

        def sent(case: schemathesis.Case) -> httpx.Response:
            if case.operation.definition.raw.get("operationId") in ENDS and case.path_parameters:
                scratch = {"instanceMetadata": {"name": "s", "instanceId": "scratch"}}
                runner.run(client.post("/v1/instances/V2", json=scratch))
                case.path_parameters["instanceId"] = "scratch"
            made = case.as_transport_kwargs(base_url="http://service")
            made.pop("cookies", None)
            with contextlib.suppress(KeyError):
                if hasattr(made.get("data"), "read"):
                    made["data"] = made["data"].read()
            data = made.pop("data", None)
            content = data if isinstance(data, (bytes, str)) or data is None else None
            rest = {"data": data} if content is None and data is not None else {"content": content}
            return runner.run(client.request(**made, **({} if "json" in made else rest)))

        yield sent
        runner.run(client.aclose())
        runner.run(service.__aexit__())


@st.composite
def cases(draw: st.DrawFn, mode: GenerationMode) -> schemathesis.Case:
    operation = draw(st.sampled_from(OPERATIONS))
    case: schemathesis.Case = draw(operation.as_strategy(generation_mode=mode))
    if mode is GenerationMode.POSITIVE:
        case.body = familiar(draw, case.body)
    for name in list(case.path_parameters or ()):
        if name in NAMES and draw(st.integers(0, 9)):
            case.path_parameters[name] = draw(st.sampled_from(NAMES[name]))
    return case


def familiar(draw: st.DrawFn, body: object) -> object:
    """The body with known names in the place of some of its random ones."""
    if isinstance(body, list):
        return [familiar(draw, item) for item in body]
    if not isinstance(body, dict):
        return body
    return {
        key: draw(st.sampled_from(IN_BODIES[key]))
        if key in IN_BODIES and type(value) is type(IN_BODIES[key][0]) and draw(st.integers(0, 4))
        else familiar(draw, value)
        for key, value in body.items()
    }


def hold(send: Callable[..., httpx.Response], case: schemathesis.Case) -> None:
    try:
        response = send(case)
    except (UnicodeError, httpx.InvalidURL, httpx.LocalProtocolError, ValueError) as error:
        if isinstance(error, (httpx.InvalidURL, UnicodeError)) or "header" in str(error).lower():
            return  # no HTTP client can say it
        raise
    case.validate_response(response, checks=CHECKS)


def fuzz(send: Callable[..., httpx.Response], mode: GenerationMode, calls: int) -> None:
    @settings(
        max_examples=calls,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(cases(mode))
    def each(case: schemathesis.Case) -> None:
        hold(send, case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of generators that find a schema hard to meet
        each()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "fits not"])
def test_what_the_document_says_holds_for_random_requests(
    send: Callable[..., httpx.Response], mode: GenerationMode
) -> None:
    fuzz(send, mode, 120)


@pytest.mark.soak
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "fits not"])
def test_it_holds_for_twenty_thousand(send: Callable[..., httpx.Response], mode: GenerationMode) -> None:
    random.seed(0)
    fuzz(send, mode, 10_000)
