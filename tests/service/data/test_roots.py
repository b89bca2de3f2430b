"""Both roots: how requests find them, links of answers, tags, limits, and sets that are segments."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

import unify
from unify.service.data.mount import whole
from unify.service.origin import origin_of
from unify.service.settings import Limits, Settings

CLEAN, VENDOR = "/odata/contoso/", "/v1/instances/contoso/data/"


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("prefix", ["/v1", "/api", ""])
def test_links_lead_back_to_the_prefix_they_were_asked_under(asking, prefix):
    url = f"{prefix}/instances/contoso/data/Customer?$select=City"
    found = asking("GET", url, headers={"prefer": "maxpagesize=2"}).json()
    assert found["@odata.context"] == f"http://service{prefix}/instances/contoso/data/$metadata#Customer(City)"
    assert found["@odata.nextLink"].startswith(f"http://service{prefix}/instances/contoso/data/Customer?")
    assert asking("GET", found["@odata.nextLink"].removeprefix("http://service")).status_code == 200


def origin(host: str, public_url: str | None = None) -> str:
    headers = [(b"host", host.encode()), (b"x-forwarded-host", b"evil.example")]
    return origin_of({"headers": headers, "scheme": "http", "server": ("127.0.0.1", 8330)}, public_url)


@pytest.mark.parametrize(
    "host", ["evil/../x", 'a"b', "a b", "x?y", "x#y", "user@host", "", "a" * 300, "[::1", "h:port"]
)
def test_a_host_that_would_break_links_is_not_repeated(asking, host):
    assert origin(host) == "http://127.0.0.1:8330"
    found = asking("GET", f"{CLEAN}crm_Contacts?$top=1", headers={"host": host})
    assert found.status_code in (200, 403)
    assert found.status_code == 403 or found.json()["@odata.context"].startswith("http://service/odata/contoso/$meta")


@pytest.mark.parametrize("host", ["example.org", "example.org:8330", "[::1]:80", "127.0.0.1"])
def test_a_host_is_repeated_in_links(host):
    assert origin(host) == f"http://{host}"


def test_a_host_of_this_machine_is_repeated_in_links(asking):
    headers = {"host": "localhost:9", "x-forwarded-host": "evil.example"}
    found = asking("GET", f"{CLEAN}crm_Contacts?$top=1", headers=headers)
    assert found.json()["@odata.context"].startswith("http://localhost:9/odata/contoso/$metadata")


def test_a_public_url_goes_before_any_header(shared_root, run_service):
    assert origin("evil.example", "https://data.example.org/") == "https://data.example.org"
    settings = Settings(root=shared_root, public_url="https://data.example.org")
    with run_service(settings) as ask:
        for url in (f"{CLEAN}Customer?$top=1", f"{CLEAN}crm_Contacts?$top=1", VENDOR):
            found = ask("GET", url, headers={"host": "localhost:9"}).json()["@odata.context"]
            assert found.startswith(f"https://data.example.org{url.split('?')[0].rsplit('/', 1)[0]}/$metadata")


@pytest.mark.parametrize(
    "url",
    ["/odata", "/odata/", "/odata/nobody/", "/odata/nobody/Customer", "/odata/con%2Ftoso/Customer", "/odata/../x/"],
)
def test_an_instance_that_is_not_there(asking, url):
    assert asking("GET", url).status_code == 404


ENCODED = {
    b"Customer": b"Customer",
    b"Customer%28%27a%27%29%2FUnifiedActivity": b"Customer('a')/UnifiedActivity",
    b"Customer%28%27a%2Fb%27%29": b"Customer('a/b')",
    b"Customer('a%2Fb')": b"Customer('a%2Fb')",
    b"Customer%28%2750%25%27%29": b"Customer('50%25')",
    b"Customer%28%2750%2525%27%29": b"Customer('50%25')",
    b"Customer%3F%24top%3D1": b"Customer?$top=1",
    b"crm.Contacts%28'a%2Fb'%29": b"crm.Contacts%28'a%2Fb'%29",
}


@pytest.mark.parametrize("raw", ENCODED)
def test_a_path_that_was_encoded_whole_is_decoded_once(raw):
    assert whole(raw) == ENCODED[raw]


@pytest.mark.parametrize(
    "relative",
    ["Customer/$count", "Customer?$top=1", "$metadata", "", "crm.Contacts/$count", "Customer?$filter=City eq 'a+b'"],
)
def test_encoded_or_not_the_vendors_path_is_the_same(asking, relative):
    path, _, query = relative.partition("?")
    tail = f"?{query}" if query else ""
    plain = asking("GET", f"{VENDOR}{path}{tail}")
    encoded = asking("GET", f"{VENDOR}{quote(path, safe='')}{tail.replace('$', '%24')}")
    assert (plain.status_code, plain.text) == (encoded.status_code, encoded.text)
    if query and "+" not in query:
        inside = asking("GET", f"{VENDOR}{quote(relative, safe='')}")
        assert inside.json()["value"] == plain.json()["value"]


def test_options_of_the_vendors_client(asking):
    plain = asking("GET", f"{VENDOR}Customer?$search=anna&$top=3").json()["value"]
    for extra in ("forceSearch=true", "forceSearch=False", "proxy=true&forceSearch=true", "proxy=false"):
        assert asking("GET", f"{VENDOR}Customer?$search=anna&$top=3&{extra}").json()["value"] == plain
    for wrong in ("forceSearch=1", "forceSearch=", "proxy", "forcesearch=true", "validUntil=x"):
        assert asking("GET", f"{VENDOR}Customer?$top=1&{wrong}").status_code == 400, wrong
    assert asking("GET", f"{CLEAN}Customer?$top=1&forceSearch=true").status_code == 400


def test_plus_is_a_space_unless_it_is_a_sign(asking):
    assert (
        asking("GET", f"{CLEAN}Customer/$count?$filter=City+eq+'Eastwick'").text
        == asking("GET", f"{CLEAN}Customer/$count?$filter=City%20eq%20'Eastwick'").text
    )
    signed = asking("GET", f"{CLEAN}Customer/$count?$filter=2024-01-01T02:00:00+02:00%20eq%202024-01-01T00:00:00Z")
    assert signed.text == "723"
    assert asking("GET", f"{CLEAN}Customer/$count?$filter=1e+2 eq 100").text == "723"


def test_dialects_differ_where_they_should(asking):
    assert asking("GET", f"{VENDOR}crm.Contacts/$count").status_code == 200
    assert asking("GET", f"{CLEAN}crm.Contacts/$count").status_code == 400
    member = "$filter=City ne null&IsMemberOfSegment('big_spenders')"
    assert asking("GET", f"{VENDOR}Customer/$count?{member}").status_code == 200
    assert asking("GET", f"{CLEAN}Customer/$count?{member}").status_code == 400
    words = "$search=anna alan&$top=1000&$select=FullName"
    either, both = (len(asking("GET", f"{root}Customer?{words}").json()["value"]) for root in (VENDOR, CLEAN))
    assert either > both


def test_errors_in_both_shapes(asking):
    flat = asking("GET", f"{VENDOR}Customer?$filter=City eq 'a")
    assert flat.status_code == 400
    assert (flat.json()["errorCode"], flat.json()["innerError"]["position"]) == (
        "syntaxError",
        1 + len("Customer?$filter=City%20eq%20"),
    )
    nested = asking("GET", f"{CLEAN}Customer?$orderby=Ctiy").json()["error"]
    assert nested["code"] == "badRequest"
    assert nested["target"].startswith("$orderby")
    assert nested["innererror"]["position"] == 1
    assert "City" in nested["details"][0]["message"]
    for root, status in ((VENDOR, 400), (CLEAN, 501)):
        assert asking("GET", f"{root}$all").status_code == status


def test_an_error_inside_shows_nothing(asking, monkeypatch):
    from unify.verbs.odata import OData

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret at /srv/data")

    monkeypatch.setattr(OData, "ask", broken)
    for root in (VENDOR, CLEAN):
        found = asking("GET", f"{root}crm_Contacts?$top=1")
        assert found.status_code == 500
        assert "secret" not in found.text
        assert "srv" not in found.text


def test_methods_that_a_resource_takes(asking):
    assert asking("OPTIONS", f"{CLEAN}Customer").headers["allow"] == "GET, HEAD, OPTIONS"
    assert asking("OPTIONS", f"{CLEAN}$batch").headers["allow"] == "POST, OPTIONS"
    assert asking("OPTIONS", f"{VENDOR}Customer").headers["allow"] == "GET, HEAD, PUT, POST, PATCH, OPTIONS"
    head = asking("HEAD", f"{CLEAN}crm_Contacts?$top=3")
    get = asking("GET", f"{CLEAN}crm_Contacts?$top=3")
    assert head.content == b""
    assert head.headers["content-length"] == str(len(get.content))
    assert head.headers["etag"] == get.headers["etag"]


def test_a_query_in_a_body(asking):
    long = " or ".join(f"CustomerId eq '{i:032x}'" for i in range(5))
    plain = {"content-type": "text/plain"}
    found = asking("POST", f"{CLEAN}Customer/$query", content=f"$filter={quote(long)}&$count=true", headers=plain)
    assert found.json()["@odata.count"] == 0
    assert asking("POST", f"{CLEAN}Customer/$query?$top=2", content="$select=City", headers=plain).json()["value"]
    assert (
        asking(
            "POST", f"{CLEAN}Customer/$query", content="{}", headers={"content-type": "application/json"}
        ).status_code
        == 415
    )
    assert asking("POST", f"{CLEAN}Customer/$query", content="$nope=1", headers=plain).status_code == 400


# ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    ["", "$metadata", "crm_Contacts?$top=2", "Customer/$count", "Customer?$top=3&$select=City", "big_spenders/$count"],
)
def test_what_has_not_changed_is_304(asking, path):
    first = asking("GET", CLEAN + path)
    tag = first.headers["etag"]
    assert tag.startswith('W/"1-')
    for known in (tag, f'"other", {tag}', "*"):
        again = asking("GET", CLEAN + path, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), known
    for known in ('"other"', "null", ""):
        assert asking("GET", CLEAN + path, headers={"if-none-match": known}).status_code == 200


def test_what_is_of_the_moment_has_no_tag(asking):
    found = asking("GET", f"{CLEAN}crm_Contacts?$filter=now() gt 2000-01-01T00:00:00Z&$top=1")
    assert "etag" not in found.headers
    assert (
        "etag"
        not in asking("GET", f"{CLEAN}Customer?$expand=UnifiedActivity($filter=ActivityTime lt NOW())&$top=1").headers
    )


def test_a_run_and_new_members_change_tags_and_pages_stay_on_theirs(tmp_path, contoso_made, run_service):
    shutil.copytree(contoso_made, tmp_path / "r" / "contoso")
    with run_service(Settings(root=tmp_path / "r")) as ask:
        first = ask("GET", f"{CLEAN}crm_Contacts?$select=ContactId", headers={"prefer": "maxpagesize=5"})
        tag = first.headers["etag"]
        with unify.open(tmp_path / "r" / "contoso") as acme:
            acme.segments().create("bern", "City eq 'Eastwick'")
            acme.segments().refresh("bern")
            second = ask("GET", f"{CLEAN}crm_Contacts?$select=ContactId", headers={"if-none-match": tag})
            assert second.status_code == 200
            assert "bern" in [entry["name"] for entry in ask("GET", CLEAN).json()["value"]]
            assert int(ask("GET", f"{CLEAN}bern/$count").text) > 0
            acme.conflate()
        later = ask("GET", first.json()["@odata.nextLink"].removeprefix("http://service"))
        assert later.status_code == 200
        assert later.headers["etag"].startswith('W/"1-')
        assert ask("GET", f"{CLEAN}crm_Contacts?$top=1").headers["etag"][:4] > later.headers["etag"][:4]
        assert len(later.json()["value"]) == 5


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_limits_are_said(shared_root, run_service):
    limits = Limits(url_bytes=300, page_rows=50, expanded_levels=2, filter_terms=5)
    with run_service(Settings(root=shared_root, limits=limits)) as ask:
        long = f"Customer?$filter=City eq '{'x' * 300}'"
        assert ask("GET", CLEAN + long).status_code == 414
        assert ask("GET", VENDOR + long).status_code in (400, 414)
        assert "300 bytes" in ask("GET", CLEAN + long).json()["error"]["message"]
        five = " or ".join(["City eq 'a'"] * 3)
        assert ask("GET", f"{CLEAN}Customer?$filter={five}&$top=1").status_code == 200
        six = ask("GET", f"{CLEAN}Customer?$filter={five} or contains(City,'x')&$top=1")
        assert six.status_code in (200, 400)
        many = ask("GET", f"{CLEAN}Customer?$filter={' or '.join(['contains(City,1)'] * 6)}")
        assert (many.status_code, many.json()["error"]["code"]) == (400, "tooManyTerms")
        deep = "UnifiedActivity($top=1;$expand=Customer($expand=UnifiedActivity($top=1)))"
        assert ask("GET", f"{CLEAN}Customer?$top=1&$expand={deep}").json()["error"]["code"] == "tooManyLevels"
        page = ask("GET", f"{CLEAN}crm_Contacts?$top=70&$select=ContactId").json()
        assert len(page["value"]) == 50
        rest = ask("GET", page["@odata.nextLink"].removeprefix("http://service")).json()
        assert len(rest["value"]) == 20
        assert "@odata.nextLink" not in rest
        preferred = ask("GET", f"{CLEAN}crm_Contacts?$select=ContactId", headers={"prefer": "maxpagesize=9999"})
        assert len(preferred.json()["value"]) == 50
        assert preferred.headers["preference-applied"] == "maxpagesize=50"


def test_a_list_is_one_term(asking):
    ids = ",".join(f"'{i}'" for i in range(700))
    found = asking(
        "POST",
        f"{CLEAN}Customer/$query",
        content=f"$filter=CustomerId in ({ids})",
        headers={"content-type": "text/plain"},
    )
    assert found.status_code == 200


# ── segments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_segment_is_a_set_of_its_members(asking):
    for name in ("big_spenders", "gone_quiet", "unhappy", "win_back"):
        members = asking("GET", f"{CLEAN}{name}?export=true&$select=CustomerId").json()["value"]
        asked = asking(
            "GET", f"{CLEAN}Customer?export=true&$select=CustomerId&$filter=IsMemberOfSegment('{name}')"
        ).json()["value"]
        assert members
        assert sorted(row["CustomerId"] for row in members) == sorted(row["CustomerId"] for row in asked)
        assert asking("GET", f"{CLEAN}{name}/$count").text == str(len(members))


def test_a_member_by_key_and_nobody_else(asking):
    [member] = asking("GET", f"{CLEAN}big_spenders?$top=1").json()["value"]
    found = asking("GET", f"{CLEAN}big_spenders('{member['CustomerId']}')").json()
    assert found.pop("@odata.context").endswith("$metadata#big_spenders/$entity")
    assert found == member
    other = asking("GET", f"{CLEAN}Customer?$filter=not IsMemberOfSegment('big_spenders')&$top=1").json()["value"][0]
    assert asking("GET", f"{CLEAN}big_spenders('{other['CustomerId']}')").status_code == 404
    assert asking("GET", f"{CLEAN}big_spenders('{member['CustomerId']}')/UnifiedActivity/$count").text.isdigit()


def test_options_apply_to_a_segment_as_to_customers(asking):
    rows = asking(
        "GET", f"{CLEAN}gone_quiet?$filter=City ne null&$orderby=City,CustomerId&$select=City&$top=5&$count=true"
    ).json()
    assert [row["City"] for row in rows["value"]] == sorted(row["City"] for row in rows["value"])
    groups = asking("GET", f"{CLEAN}gone_quiet?$apply=groupby((City),aggregate($count as N))").json()
    total = asking("GET", f"{CLEAN}gone_quiet/$count").text
    assert sum(row["N"] for row in groups["value"]) == int(total)
    found = asking("GET", f"{CLEAN}gone_quiet?$search=anna&$expand=UnifiedActivity($top=1)&$top=2")
    assert found.status_code == 200
    page = asking("GET", f"{CLEAN}gone_quiet?$select=City", headers={"prefer": "maxpagesize=3"}).json()
    again = asking("GET", page["@odata.nextLink"].removeprefix("http://service"))
    assert again.json()["@odata.context"] == page["@odata.context"]


def test_segments_that_are_called_like_tables(tmp_path, contoso_made, run_service):
    shutil.copytree(contoso_made, tmp_path / "r" / "contoso")
    with unify.open(tmp_path / "r" / "contoso") as acme:
        for name in ("Customer", "crm_contacts", "Segment_Customer"):
            acme.segments().create(name, "City eq 'Eastwick'")
        acme.segments().create(
            "over", {"where": "City eq 'Eastwick'", "ends": (datetime.now(UTC) - timedelta(1)).isoformat()}
        )
        acme.segments().refresh("Customer", "crm_contacts", "Segment_Customer")
    with run_service(Settings(root=tmp_path / "r")) as ask:
        names = [entry["name"] for entry in ask("GET", CLEAN).json()["value"]]
        assert len(names) == len({name.casefold() for name in names})
        assert {"Customer", "Segment_Customer", "Segment_Segment_Customer", "Segment_crm_contacts"} <= set(names)
        assert "over" not in names
        everybody, some = (int(ask("GET", f"{CLEAN}{name}/$count").text) for name in ("Customer", "Segment_Customer"))
        assert some < everybody
        assert ask("GET", f"{CLEAN}over/$count").status_code == 404
        text = ask("GET", f"{CLEAN}$metadata").text
        assert set(re.findall(r'<EntitySet Name="([^"]+)"', text)) == set(names)
