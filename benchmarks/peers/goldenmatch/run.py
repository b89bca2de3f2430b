"""GoldenMatch 3 with no configuration at all, as its first page says: `goldenmatch.dedupe("customers.csv")`.

Two tables to link are written below each other first. The file has no column `record`: rows are known by their place.
No LLM and no network: it asks for neither unless told to. Its clusters are its own; there is no threshold to choose.
"""

import csv
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from protocol import Talk


def main() -> None:
    """Read the job, answer it."""
    talk = Talk()
    os.environ["HOME"] = str(talk.work)  # it keeps a memory of earlier runs there
    os.environ["GOLDENMATCH_ANALYTICS"] = "0"
    os.chdir(talk.work)
    import goldenmatch

    talk.stage("start")
    records = _without_record(talk.job["tables"], talk.work / "customers.csv")
    talk.stage("load")
    result = goldenmatch.dedupe("customers.csv")
    talk.stage("dedupe")
    of = list(range(len(records)))
    for cluster in result.clusters.values():
        members = cluster["members"]
        for row in members:
            of[row] = members[0]
    out = talk.clusters(zip(records, of, strict=True))
    talk.stage("write")
    talk.answer(out, None, labels=0, versions={"goldenmatch": goldenmatch.__version__})


def _without_record(tables: list[str], target: Path) -> list[str]:
    """Writes all rows of the tables, less the column `record`, to one CSV; the records in that order."""
    records = []
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        for i, path in enumerate(tables):
            with Path(path).open(encoding="utf-8", newline="") as file:
                for line, (record, *values) in enumerate(csv.reader(file)):
                    if line:
                        records.append(record)
                    if line or i == 0:
                        writer.writerow(values)
    return records


if __name__ == "__main__":
    main()
