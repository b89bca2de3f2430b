"""The benchmark of Dataverse tables measures what it says."""

import json

from benchmarks.__main__ import main


def test_the_command(capsys):
    assert main(["dataverse", "--records", "300", "--seconds", "0.05", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["create_multiple_rows_per_s"]) == {"1", "100", "1000"}
    assert min(found["create_multiple_rows_per_s"].values()) > 0
    assert found["point_reads_per_s"] > 0
    assert found["store_rows_per_s"] > 0
    assert found["ingest"]["rows"] == found["ingest_one_in_a_hundred_changed"]["rows"] > 300
    assert main(["dataverse", "--records", "0"]) == 2
