"""`$batch` as clients write it: order, change sets, references, failures, and what is no batch."""

import re

import pytest

SDK = {"Content-Type": 'multipart/mixed; boundary="b1"'}


def part(method, url, body=None, *, id_=None, boundary="b1", headers=()):
    lines = [f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {id_}"] if id_ else []
    lines += ["", f"{method} {url} HTTP/1.1", "Content-Type: application/json; type=entry", *headers, "", body or ""]
    return "\r\n".join(lines) + "\r\n"


def change_set(*parts, boundary="b1"):
    head = f'--{boundary}\r\nContent-Type: multipart/mixed; boundary="c1"\r\n\r\n'
    return head + "".join(parts) + "--c1--\r\n\r\n"


def send(ask, *parts, headers=None, end="--b1--\r\n", path="$batch"):
    return ask("POST", path, content=("".join(parts) + end).encode(), headers={**SDK, **(headers or {})})


def told(reply):
    """Status and body of each answer, in order."""
    assert reply.headers["content-type"].startswith("multipart/mixed; boundary=batchresponse_"), reply.text
    found = []
    for piece in re.split(r"HTTP/1\.1 ", reply.text)[1:]:
        head, _, rest = piece.partition("\r\n\r\n")
        found.append((int(head[:3]), head, rest.split("\r\n--")[0].strip()))
    return found


def count(ask, name):
    return int(ask("GET", f"contacts/$count?$filter=startswith(lastname,'{name}')").text.lstrip("\ufeff"))


def test_answers_come_in_order(ask, unique):
    root = "http://127.0.0.1/api/data/v9.2"
    reply = send(
        ask,
        part("POST", f"{root}/contacts", f'{{"lastname":"{unique}é"}}'),
        part("GET", f"/api/data/v9.2/contacts?$select=lastname&$filter=lastname eq '{unique}é' and statecode eq 0"),
        part("GET", f"contacts/$count?$filter=lastname eq '{unique}é'"),
    )
    made, rows, number = told(reply)
    assert (reply.status_code, made[0], rows[0], number[0]) == (200, 204, 200, 200)
    assert re.search(r"OData-EntityId: http://127\.0\.0\.1/api/data/v9\.2/contacts\([0-9a-f-]{36}\)", made[1])
    assert f"{unique}é" in rows[2]
    assert number[2] == "1"
    assert all("OData-Version: 4.0" in head for _, head, _ in (made, rows, number))


def test_lines_may_end_with_lf_alone(ask, unique):
    text = (part("POST", "contacts", f'{{"lastname":"{unique}"}}') + "--b1--\n").replace("\r\n", "\n")
    reply = ask("POST", "$batch", content=text.encode(), headers={"Content-Type": "multipart/mixed;boundary=b1"})
    assert [status for status, *_ in told(reply)] == [204]


def test_a_change_set_is_all_or_nothing(ask, unique):
    good = part("POST", "contacts", f'{{"lastname":"{unique}"}}', id_="1", boundary="c1")
    bad = part("POST", "contacts", '{"lastnam":"x"}', id_="2", boundary="c1")
    failed = send(ask, change_set(good, bad), part("POST", "contacts", f'{{"lastname":"{unique} after"}}'))
    assert failed.status_code == 400
    assert count(ask, unique) == 0
    ((status, head, body),) = told(failed)
    assert (status, "Content-ID" in head, '"code":"0x8' in body) == (400, False, True)
    assert "Content-ID: 2" in failed.text
    assert "REQ_ID: " in head
    after = part("POST", "contacts", f'{{"lastname":"{unique} after"}}')
    went_on = send(ask, change_set(good, bad), after, headers={"Prefer": "odata.continue-on-error"})
    assert (went_on.status_code, [status for status, *_ in told(went_on)]) == (200, [400, 204])
    assert went_on.headers["preference-applied"] == "odata.continue-on-error"
    assert count(ask, unique) == 1
    both = send(ask, change_set(good, good.replace("Content-ID: 1", "Content-ID: 2")))
    assert [status for status, *_ in told(both)] == [204, 204]
    assert count(ask, unique) == 3
    assert "Content-Type: multipart/mixed; boundary=changesetresponse_" in both.text


def test_references_in_addresses_and_bodies(ask, unique):
    reply = send(ask, change_set(
        part("POST", "accounts", f'{{"name":"{unique}"}}', id_="1", boundary="c1"),
        part("POST", "contacts", f'{{"lastname":"{unique}","parentcustomerid_account@odata.bind":"$1"}}', id_="2",
             boundary="c1"),
        part("PUT", "$1/primarycontactid/$ref", '{"@odata.id":"$2"}', id_="3", boundary="c1"),
        part("PUT", "$1/name", f'{{"value":"{unique} renamed"}}', id_="4", boundary="c1"),
        part("PATCH", "$2", '{"jobtitle":"chief"}', id_="5", boundary="c1"),
    ))  # fmt: skip
    assert [status for status, *_ in told(reply)] == [204] * 5, reply.text
    url = f"accounts?$filter=name eq '{unique} renamed'&$expand=primarycontactid,contact_customer_accounts"
    (row,) = ask("GET", url).json()["value"]
    assert row["primarycontactid"]["jobtitle"] == "chief"
    assert len(row["contact_customer_accounts"]) == 1


def test_a_reference_to_what_does_not_stand_before(ask, unique):
    early = part("POST", "contacts", f'{{"lastname":"{unique}","parentcustomerid_account@odata.bind":"$9"}}', id_="2",
                 boundary="c1")  # fmt: skip
    reply = send(ask, change_set(early, part("POST", "accounts", '{"name":"x"}', id_="9", boundary="c1")))
    assert reply.status_code == 400
    assert "Content-ID Reference: '$9' does not exist in the batch context." in reply.text
    assert count(ask, unique) == 0


def test_the_answer_to_a_long_address(ask):
    values = "".join(f"<value>name {n:05}</value>" for n in range(1_800))
    condition = f"<condition attribute='lastname' operator='in'>{values}</condition>"
    xml = f"<fetch><entity name='contact'><attribute name='lastname'/><filter>{condition}</filter></entity></fetch>"
    reply = send(ask, part("GET", f"contacts?fetchXml={xml}"))
    assert len(xml) > 40_000
    assert [status for status, *_ in told(reply)] == [200], reply.text[-300:]
    beyond = send(ask, part("GET", "contacts?$filter=" + "a" * 65_600))
    assert beyond.status_code == 414


@pytest.mark.parametrize(
    ("parts", "options", "status"),
    [
        ([change_set(part("GET", "contacts", boundary="c1"))], {}, 400),
        ([part("POST", "$batch", "{}")], {}, 400),
        ([part("GET", "WhoAmI")] * 1001, {}, 400),
        ([part("GET", "WhoAmI")], {"end": ""}, 400),
        ([part("GET", "WhoAmI")], {"headers": {"Content-Type": "multipart/mixed"}}, 400),
        ([part("GET", "WhoAmI")], {"headers": {"Content-Type": "application/json"}}, 415),
        ([part("GET", "http://127.0.0.1/instances/other/api/data/v9.2/WhoAmI")], {}, 400),
        ([part("GET", "/odata/acme/Customer")], {}, 400),
        ([part("GET", "WhoAmI").replace("application/http", "text/plain")], {}, 400),
        ([part("GET", "contacts").replace("GET contacts HTTP/1.1", "")], {}, 400),
        ([change_set(part("POST", "contacts", "{}", id_="1", boundary="c1") * 2)], {}, 400),
    ],
)
def test_what_is_no_batch(ask, parts, options, status):
    assert send(ask, *parts, **options).status_code == status


def test_a_thousand_requests(ask):
    reply = send(ask, *[part("GET", "RetrieveVersion()")] * 1000)
    assert (reply.status_code, len(told(reply))) == (200, 1000)
    assert ask("GET", "$batch").status_code == 405
