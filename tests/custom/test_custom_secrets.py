"""What is written and never given out is in no ingested table either."""

from ingest.record_tables import columns_of


def test_secrets_of_endpoints_are_not_ingested(world):
    with world.store.read() as reading:
        names = {out.name for out in columns_of(reading.table("serviceendpoint"))}
        operation = {out.name for out in columns_of(reading.table("asyncoperation"))}
    assert {"name", "url", "contract"} <= names
    assert not {"authvalue", "saskey"} & names
    assert "data" not in operation
