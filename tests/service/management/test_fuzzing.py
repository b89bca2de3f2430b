"""Schemathesis over the OpenAPI document, in the process: nothing is a 5xx, every answer is what the document says.

Requests that fit the document and requests that do not. Names in paths are real ones most of the time, so that what
lies behind them is reached; the instance that may be deleted and reset is not the one with data. Chains of requests follow
the links of the document.
"""

import asyncio
import contextlib
import itertools
import random
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import GenerationMode
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ensure_resource_availability,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
)

from unify.service.app import Service
from unify.service.management.app import management_app
from unify.service.management.links import MADE
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
    "customer": ("crm.Contacts:C-1081", "crm_Contacts:C-1081", "web.SignUps:U-1094", "nobody", "check"),
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
    "customers": (["crm.Contacts:C-1081", "nobody"],),
    "segments": (["big_spenders"], ["big_spenders", "nothing"]),
    "qualifiedEntityName": ("Customer", "crm_Contacts"),
}
"""Values that lead somewhere, by key; put in the place of random ones of the same type."""
ENDS = ("delete_an_instance", "reset_an_instance")
SELDOM = ("suggest_project", "validate_project")
"""They read all files, seconds of work: asked a few times only."""
NAME = re.compile(r"\{(\w+)\}")
CALLS = {GenerationMode.POSITIVE: 10_000, GenerationMode.NEGATIVE: 12_000}
"""In CI: six minutes of processor time, since one call takes 20 ms where it fits and 12 ms where it does not."""
ROUND = 4
"""Calls with one drawn request, each with other names in its path: drawing takes longer than answering."""
PARTS = 4
SCHEMA = schemathesis.openapi.from_dict(document(management_app(), open_=True))
LINKS = {
    operation["operationId"]: list(response["links"])
    for item in SCHEMA.raw_schema["paths"].values()
    for operation in item.values()
    for response in operation["responses"].values()
    if "links" in response
}
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
ALL = list(HealthCheck)
Send = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def send(tmp_path_factory: pytest.TempPathFactory, contoso_made: Path) -> Iterator[Send]:
    """One request after the other, to one service that lives as long as these tests."""
    root = tmp_path_factory.mktemp("fuzzed") / "root"
    shutil.copytree(contoso_made, root / "contoso")
    service = Service(
        Settings(root=root, jobs=False, log_level="error", limits=Limits(seconds=5), webhook_private=True)
    )
    transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=transport, base_url="http://service")
        runner.run(service.__aenter__())

        def sent(case: schemathesis.Case) -> httpx.Response:
            if operation_id(case.operation) in ENDS and case.path_parameters["instanceId"] in ("contoso", "scratch"):
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

        project = runner.run(client.get("/v1/instances/contoso/project")).json()

        def restore() -> None:
            kept = runner.run(client.put("/v1/instances/contoso/project", json=project))
            assert kept.status_code == 200, kept.text

        def end_made() -> None:
            for path in root.glob("made*"):
                runner.run(client.delete(f"/v1/instances/{path.name}"))

        sent.restore, sent.end_made = restore, end_made  # type: ignore[attr-defined]
        yield sent
        runner.run(client.aclose())
        runner.run(service.__aexit__())


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


def aimed(case: schemathesis.Case, drawn: dict[str, object], chance: random.Random) -> None:
    """Names that lead somewhere in the place of random ones, most of the time."""
    for name, value in drawn.items():
        known = name in NAMES and chance.random() < 0.9
        case.path_parameters[name] = chance.choice(NAMES[name]) if known else value


def hold(send: Send, case: schemathesis.Case) -> None:
    try:
        response = send(case)
    except (UnicodeError, httpx.InvalidURL, httpx.LocalProtocolError, ValueError) as error:
        if isinstance(error, (httpx.InvalidURL, UnicodeError)) or "header" in str(error).lower():
            return  # no HTTP client can say it
        raise
    case.validate_response(response, checks=CHECKS)


def fuzz(send: Send, operation: APIOperation, mode: GenerationMode, calls: int) -> int:
    """So many random requests of one operation; how many they were."""
    sent = 0
    aims = any(name in NAMES for name in NAME.findall(operation.path))
    times = ROUND if aims and operation_id(operation) not in SELDOM else 1

    @settings(max_examples=max(1, calls // times), deadline=None, suppress_health_check=ALL, database=None)
    @given(operation.as_strategy(generation_mode=mode), st.data())
    def each(case: schemathesis.Case, data: st.DataObject) -> None:
        nonlocal sent
        if mode is GenerationMode.POSITIVE:
            case.body = familiar(data.draw, case.body)
        drawn = dict(case.path_parameters or {})
        chance = random.Random(data.draw(st.integers(0, 2**32)))
        for _ in range(times):
            aimed(case, drawn, chance)
            hold(send, case)
            sent += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of generators that find a schema hard to meet
        each()
    return sent


def operation_id(operation: APIOperation) -> str:
    return str(operation.definition.raw["operationId"])


def can_be_wrong(operation: APIOperation) -> bool:
    """Whether a request can be against the document: a name in a path is any text, and so are the bytes of a file."""
    return bool(len(operation.query) or (len(operation.body) and operation_id(operation) != "upload_a_file"))


def storm(send: Send, mode: GenerationMode, calls: int, part: slice = slice(None)) -> int:
    """Calls of all operations, or of a part of them, in turn; the sources are made whole before each."""
    sent = 0
    chosen = OPERATIONS if mode is GenerationMode.POSITIVE else [one for one in OPERATIONS if can_be_wrong(one)]
    for operation in chosen[part]:
        send.restore()  # type: ignore[attr-defined]
        few = operation_id(operation) in SELDOM and mode is GenerationMode.POSITIVE
        sent += fuzz(send, operation, mode, 4 if few else calls // len(chosen))
    return sent


MODES = pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "fits not"])


@MODES
@pytest.mark.parametrize("part", range(PARTS))
def test_what_the_document_says_holds_for_random_requests(send: Send, mode: GenerationMode, part: int) -> None:
    sent = storm(send, mode, CALLS[mode], slice(part, None, PARTS))
    assert sent > 0.7 * CALLS[mode] / PARTS


@pytest.mark.soak
@MODES
def test_it_holds_for_a_hundred_thousand(send: Send, mode: GenerationMode) -> None:
    assert storm(send, mode, 50_000) > 40_000


# ── one request after the other: what was made is read, changed and removed by the links of the document ─────────────

CONTACTS = {"entityName": "Contacts", "primaryKey": "Id", "settings": {"columns": {"Name": "string"}}}
BODIES: dict[str, Callable[[int], Any]] = {
    "create_an_instance": lambda n: {"instanceMetadata": {"name": f"i{n}", "instanceId": f"made{n}"}},
    "create_a_key": lambda n: {"principalId": f"somebody{n}"},
    "create_a_data_source": lambda n: {"name": f"shop{n}", "entities": [CONTACTS]},
    "create_a_relationship": lambda n: {
        "name": f"mail{n}", "fromEntityName": "web_SignUps", "fromAttributeName": "EMail",
        "toEntityName": "crm_Contacts", "toAttributeName": "EMail", "cardinality": "manyToOne",
    },
    "create_a_segment": lambda n: {"name": f"seg{n}", "ownDefinition": {"where": f"City eq 'Bern{n}'"}},
    "create_a_measure": lambda n: {"name": f"m{n}", "ownDefinition": {"sum": "Total", "of": "web.Orders"}},
    "create_a_hierarchy": lambda n: {
        "name": f"h{n}",
        "dependency": {
            "sourceEntity": "crm_Contacts", "accountIdAttribute": "ContactId", "parentAccountIdAttribute": "City",
        },
    },
    "create_workflow_refresh_schedule": lambda n: {
        "operationType": "all", "isActive": True, "timezoneId": "UTC", "cronSchedules": [f"{n % 60} 2 * * *"],
    },
    "create_webhook": lambda n: {"url": f"http://127.0.0.1:9/{n}", "events": ["segment.entered"]},
}  # fmt: skip
"""Bodies that make something, since random ones hardly do; {n} tells one from the other."""


LINKED = SCHEMA.include(operation_id=sorted({*MADE, *(target for taken in LINKS.values() for target in taken)}))
LINKED.config.phases.stateful.inference.algorithms = []
"""Links that schemathesis guesses lead to 404 mostly; ours shall be enough."""


class Chain(LINKED.as_state_machine()):  # type: ignore[misc]
    """Random chains of requests. What a link does not say is aimed at what is there, and most bodies make something."""

    send: ClassVar[Send]
    numbers: ClassVar[Iterator[int]] = itertools.count()
    seen: ClassVar[Counter[tuple[str, int]]] = Counter()

    def before_call(self, case: schemathesis.Case) -> None:
        if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
            return
        for name, value in (case.path_parameters or {}).items():
            if name == "instanceId" and not str(value).startswith("made"):
                case.path_parameters[name] = "contoso"
            elif name == "workflowName":
                case.path_parameters[name] = "main"
        name = operation_id(case.operation)
        if name in BODIES and random.random() < 0.85:
            case.body, case.media_type = BODIES[name](next(self.numbers)), "application/json"
        elif name == "submit_a_workflow_job" and random.random() < 0.85:
            case.query = {"operationType": "all"}

    def call(self, case: schemathesis.Case, **kwargs: Any) -> Response:
        found = Response.from_any(type(self).send(case))
        self.seen[operation_id(case.operation), found.status_code] += 1
        return found

    def validate_response(self, response: Response, case: schemathesis.Case, **kwargs: Any) -> None:
        case.validate_response(response, checks=(*CHECKS, use_after_free, ensure_resource_availability))

    def teardown(self) -> None:
        type(self).send.end_made()  # type: ignore[attr-defined]


def chains(send: Send, count: int) -> Counter[tuple[str, int]]:
    """So many chains of twelve requests; how often each operation had each status.

    Each is drawn by itself, from a seed of its own: what comes next hangs on what the service has answered, ids and
    moments among it, which hypothesis takes for a mistake of the strategy when it compares one chain with another.
    """
    Chain.send, Chain.seen = send, Counter()
    one = settings(
        max_examples=2,  # the first is always the simplest
        stateful_step_count=12,
        phases=(Phase.generate,),
        derandomize=False,
        deadline=None,
        suppress_health_check=ALL,
        database=None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(count):
            run_state_machine_as_test(seed(number)(type("Chain", (Chain,), {})), settings=one)
    return Chain.seen


def succeeded(seen: Counter[tuple[str, int]]) -> set[str]:
    """Operations that did what they are there for, at least once."""
    return {name for name, status in seen if status < 300}


def test_what_was_made_is_there_until_it_is_removed(send: Send) -> None:
    done = succeeded(chains(send, 30))
    assert len(done & MADE.keys()) >= 5, done
    assert len(done - MADE.keys()) >= 10, done


@pytest.mark.soak
def test_many_chains_take_every_link(send: Send) -> None:
    done = succeeded(chains(send, 2_000))
    linked = {target for taken in LINKS.values() for target in taken}
    assert {*MADE, *linked} - {"copy_an_instance"} <= done
