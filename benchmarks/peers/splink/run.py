"""Splink 5 on DuckDB, no labels, with the settings of its own example notebooks where it has one for the data set.

set              settings
febrl3           docs/demos/examples/duckdb/febrl3
febrl4           docs/demos/examples/duckdb/febrl4, the detailed model
fake_1000        docs/demos/examples/duckdb/accuracy_analysis_from_labels_column, predictions from 0.01 on
historical_50k   docs/demos/examples/duckdb/deduplicate_50k_synthetic
contoso, messy   ours, in the style of those: documented comparisons of names, dates and mailboxes, eight blocking rules
                 for messy, u from ten million random pairs, m by EM in two or three sessions

Clusters are connected components at a match probability of 0.95, as in the notebook of the largest set. The later
answers are the same scores cut elsewhere.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
from protocol import Talk

THRESHOLD = 0.95
OTHERS = (0.2, 0.5, 0.8, 0.9, 0.99, 0.999, 0.9999, 0.99999)
BIG = 300_000
"""Records above which the other thresholds are only those around 0.95: each is a clustering of its own."""


class Model(NamedTuple):
    """What a notebook sets: see run()."""

    rules: list[Any]
    comparisons: list[Any]
    deterministic: list[Any]
    recall: float
    pairs: float
    sessions: list[Any]
    columns: str = "*"
    from_probability: float | None = None
    without_tf: bool = True
    seed: int | None = None


def main() -> None:
    """Read the job, answer it."""
    talk = Talk()
    import duckdb
    import splink
    from splink import DuckDBAPI, Linker, SettingsCreator

    talk.stage("start")
    model = MODELS[talk.job["set"].partition("_")[0]]()
    connection = duckdb.connect()
    api = DuckDBAPI(connection=connection)
    tables = []
    for i, path in enumerate(talk.job["tables"]):
        connection.execute(f"CREATE TABLE t{i} AS SELECT {model.columns} FROM read_csv('{path}', all_varchar = true)")
        tables.append(api.register(connection.sql(f"FROM t{i}")))
    settings = SettingsCreator(
        unique_id_column_name="record",
        link_type="dedupe_only" if len(tables) == 1 else "link_only",
        blocking_rules_to_generate_predictions=model.rules,
        comparisons=model.comparisons,
        retain_intermediate_calculation_columns=False,
    )
    linker = Linker(tables if len(tables) > 1 else tables[0], settings)
    talk.stage("load")
    linker.training.estimate_probability_two_random_records_match(model.deterministic, recall=model.recall)
    linker.training.estimate_u_using_random_sampling(max_pairs=model.pairs, seed=model.seed)
    for rule in model.sessions:
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, estimate_without_term_frequencies=model.without_tf
        )
    talk.stage("train")
    predicted = linker.inference.predict(threshold_match_probability=model.from_probability)
    talk.stage("predict")
    versions = {"splink": splink.__version__, "duckdb": duckdb.__version__}

    def clustered(threshold: float) -> str:
        found = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predicted, threshold_match_probability=threshold
        )
        out = talk.place()
        connection.execute(
            f"COPY (SELECT record, cluster_id AS cluster FROM {found.physical_name}) TO '{out}' (HEADER)"
        )
        return str(out)

    answer = clustered(THRESHOLD)
    talk.stage("cluster")
    pairs = connection.execute(f"SELECT count(*) FROM {predicted.physical_name}").fetchall()[0][0]
    talk.answer(answer, THRESHOLD, labels=0, candidates=pairs, versions=versions)
    rows = sum(connection.execute(f"SELECT count(*) FROM t{i}").fetchall()[0][0] for i in range(len(tables)))
    for threshold in OTHERS if rows < BIG else (0.9, 0.99, 0.999):
        if threshold >= (model.from_probability or 0):
            talk.answer(clustered(threshold), threshold, labels=0, candidates=pairs, versions=versions)


def _febrl3() -> Model:
    import splink.comparison_library as cl
    from splink import block_on

    return Model(
        rules=[block_on(c) for c in ("soc_sec_id", "given_name", "surname", "date_of_birth", "postcode")],
        comparisons=[
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ],
        deterministic=[
            block_on("soc_sec_id"),
            block_on("given_name", "surname", "date_of_birth"),
            "l.given_name = r.surname and l.surname = r.given_name and l.date_of_birth = r.date_of_birth",
        ],
        recall=0.9, pairs=1e6, seed=2, sessions=[block_on("date_of_birth"), block_on("postcode")],
        from_probability=0.2, without_tf=False,
    )  # fmt: skip


def _febrl4() -> Model:
    import splink.comparison_library as cl
    from splink import block_on

    return Model(
        rules=[
            block_on("given_name", "surname"),
            "l.given_name = r.surname and l.surname = r.given_name",
            block_on("date_of_birth"),
            block_on("soc_sec_id"),
            block_on("state", "address_1"),
            block_on("street_number", "address_1"),
            block_on("postcode"),
        ],
        comparisons=[
            cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("surname").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison(
                "date_of_birth", input_is_string=True, datetime_format="%Y%m%d", invalid_dates_as_null=True
            ),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
        ],
        deterministic=[block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")],
        recall=0.8, pairs=1e6, sessions=[block_on("date_of_birth"), block_on("postcode")], from_probability=0.2,
    )  # fmt: skip


def _fake() -> Model:
    import splink.comparison_library as cl
    from splink import block_on

    return Model(
        columns="* REPLACE (CAST(dob AS DATE) AS dob)",
        rules=[block_on(c) for c in ("first_name", "surname", "dob", "email")],
        comparisons=[
            cl.ForenameSurnameComparison("first_name", "surname"),
            cl.DateOfBirthComparison("dob", input_is_string=False),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.EmailComparison("email"),
        ],
        deterministic=[
            "l.first_name = r.first_name and levenshtein(r.dob::VARCHAR, l.dob::VARCHAR) <= 1",
            "l.surname = r.surname and levenshtein(r.dob::VARCHAR, l.dob::VARCHAR) <= 1",
            "l.first_name = r.first_name and levenshtein(r.surname, l.surname) <= 2",
            "l.email = r.email",
        ],
        recall=0.7, pairs=1e6, seed=5,
        sessions=[block_on("dob"), block_on("email"), block_on("first_name", "surname")], from_probability=0.01,
    )  # fmt: skip


def _historical() -> Model:
    import splink.comparison_library as cl
    from splink import block_on

    return Model(
        columns="*, first_name || ' ' || surname AS first_name_surname_concat",
        rules=[
            block_on("substr(first_name,1,3)", "substr(surname,1,4)"),
            block_on("surname", "dob"),
            block_on("first_name", "dob"),
            block_on("postcode_fake", "first_name"),
            block_on("postcode_fake", "surname"),
            block_on("dob", "birth_place"),
            block_on("substr(postcode_fake,1,3)", "dob"),
            block_on("substr(postcode_fake,1,3)", "first_name"),
            block_on("substr(postcode_fake,1,3)", "surname"),
            block_on("substr(first_name,1,2)", "substr(surname,1,2)", "substr(dob,1,4)"),
        ],
        comparisons=[
            cl.ForenameSurnameComparison(
                "first_name", "surname", forename_surname_concat_col_name="first_name_surname_concat"
            ),
            cl.DateOfBirthComparison("dob", input_is_string=True),
            cl.PostcodeComparison("postcode_fake"),
            cl.ExactMatch("birth_place").configure(term_frequency_adjustments=True),
            cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
        ],
        deterministic=[
            block_on("first_name", "surname", "dob"),
            block_on("substr(first_name,1,2)", "surname", "substr(postcode_fake,1,2)"),
            block_on("dob", "postcode_fake"),
        ],
        recall=0.6, pairs=1e7, sessions=[block_on("first_name", "surname"), block_on("dob")],
    )  # fmt: skip


def _contoso() -> Model:
    """Names in any order by their sorted words, birth date, phone; the same for clean and dirty."""
    import splink.comparison_library as cl
    from splink import block_on

    return Model(
        rules=[
            block_on("sorted_name"),
            block_on("birth_date"),
            block_on("phone"),
            block_on("substr(sorted_name,1,5)", "substr(birth_date,1,4)"),
        ],
        comparisons=[
            cl.NameComparison("sorted_name").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.LevenshteinAtThresholds("phone", [1, 2]),
        ],
        deterministic=[block_on("phone", "birth_date"), block_on("sorted_name", "birth_date")],
        recall=0.9, pairs=1e6, seed=1, sessions=[block_on("birth_date"), block_on("phone")], from_probability=0.01,
    )  # fmt: skip


def _messy() -> Model:
    import splink.comparison_library as cl
    from splink import block_on

    return Model(
        columns="*, first_name || ' ' || last_name AS first_name_last_name",
        rules=[
            block_on("email"),
            block_on("phone"),
            block_on("first_name", "last_name", "birth_date"),
            block_on("last_name", "birth_date"),
            block_on("first_name", "birth_date"),
            block_on("first_name", "last_name", "postcode"),
            block_on("last_name", "street"),
            block_on("substr(first_name,1,3)", "street", "postcode"),
        ],
        comparisons=[
            cl.ForenameSurnameComparison(
                "first_name", "last_name", forename_surname_concat_col_name="first_name_last_name"
            ),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.EmailComparison("email"),
            cl.LevenshteinAtThresholds("phone", [1, 2]),
            cl.JaroWinklerAtThresholds("street", [0.9]),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ],
        deterministic=[
            block_on("email", "first_name"),
            block_on("phone", "first_name"),
            block_on("first_name", "last_name", "birth_date"),
        ],
        recall=0.7, pairs=1e7, seed=1,
        sessions=[block_on("first_name", "last_name"), block_on("email"), block_on("birth_date")],
        from_probability=0.01,
    )  # fmt: skip


MODELS = {
    "febrl3": _febrl3, "febrl4": _febrl4, "fake": _fake, "historical": _historical, "contoso": _contoso,
    "messy": _messy,
}  # fmt: skip

if __name__ == "__main__":
    main()
