"""recordlinkage 0.16: pairs by blocking, features by jarowinkler and levenshtein, its ECM classifier; no labels.

Its documentation links FEBRL with `compare.string(method="jarowinkler", threshold=0.85)` for names and exact fields for
the rest, and classifies with ECMClassifier; it has no examples for the other sets, which follow the same form with the
blocking rules of Splink's notebooks. Its answer are pairs: clusters are their connected components at a probability of
0.5, the classifier's own decision. The later answers are the same probabilities cut elsewhere.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from protocol import Talk

OTHERS = (0.8, 0.9, 0.95, 0.99, 0.999, 0.9999)
BLOCKS = {
    "febrl3": (("soc_sec_id",), ("given_name",), ("surname",), ("date_of_birth",), ("postcode",)),
    "febrl4": (("given_name", "surname"), ("date_of_birth",), ("soc_sec_id",), ("state", "address_1"),
               ("street_number", "address_1"), ("postcode",)),
    "fake": (("first_name",), ("surname",), ("dob",), ("email",)),
    "historical": (("name_3_4",), ("surname", "dob"), ("first_name", "dob"), ("postcode_fake", "first_name"),
                   ("postcode_fake", "surname"), ("dob", "birth_place"), ("postcode_3", "dob"),
                   ("postcode_3", "first_name"), ("postcode_3", "surname"), ("name_2_2", "year")),
    "contoso": (("sorted_name",), ("birth_date",), ("phone",), ("name_5", "year")),
    "messy": (("email",), ("phone",), ("last_name", "birth_date"), ("first_name", "birth_date"),
              ("first_name", "last_name", "postcode"), ("last_name", "street")),
}  # fmt: skip
NAMES = {
    "febrl3": ("given_name", "surname", "address_1", "suburb"),
    "febrl4": ("given_name", "surname", "address_1", "suburb"),
    "fake": ("first_name", "surname", "email", "city"),
    "historical": ("first_name", "surname", "birth_place", "postcode_fake"),
    "contoso": ("sorted_name",),
    "messy": ("first_name", "last_name", "email", "street"),
}
"""Compared by jarowinkler at 0.85."""
CODES = {
    "febrl3": ("date_of_birth", "soc_sec_id", "postcode"),
    "febrl4": ("date_of_birth", "soc_sec_id", "postcode"),
    "fake": ("dob",),
    "historical": ("dob",),
    "contoso": ("birth_date", "phone"),
    "messy": ("birth_date", "phone"),
}
"""Compared by levenshtein at 0.8."""
EXACT = {"febrl3": ("state",), "febrl4": ("state",), "historical": ("occupation", "gender"), "messy": ("postcode",)}


def main() -> None:
    """Read the job, answer it."""
    talk = Talk()
    import numpy as np
    import pandas as pd
    import recordlinkage
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    talk.stage("start")
    kind = talk.job["set"].partition("_")[0]
    frames = [_read(pd, path, kind) for path in talk.job["tables"]]
    talk.stage("load")
    indexer = recordlinkage.Index()
    for block in BLOCKS[kind]:
        indexer.block(list(block))
    pairs = indexer.index(*frames)
    pairs = pairs[_told(np, frames, pairs, BLOCKS[kind])]
    talk.stage("block")
    compare = recordlinkage.Compare()
    for column in NAMES[kind]:
        compare.string(column, column, method="jarowinkler", threshold=0.85, label=column)
    for column in CODES[kind]:
        compare.string(column, column, method="levenshtein", threshold=0.8, label=column)
    for column in EXACT.get(kind, ()):
        compare.exact(column, column, label=column)
    features = compare.compute(pairs, *frames)
    talk.stage("compare")
    classifier = recordlinkage.ECMClassifier(binarize=0.5)
    classifier.fit(features)
    probability = classifier.prob(features).to_numpy()
    talk.stage("classify")
    records = np.concatenate([frame.index.to_numpy() for frame in frames])
    place = pd.Series(np.arange(len(records)), index=records)
    left = place[pairs.get_level_values(0)].to_numpy()
    right = place[pairs.get_level_values(1)].to_numpy()
    versions = {"recordlinkage": recordlinkage.__version__, "pandas": pd.__version__}

    def answer(threshold: float) -> None:
        keep = probability >= threshold
        links = coo_matrix((np.ones(keep.sum()), (left[keep], right[keep])), shape=(len(records), len(records)))
        found = connected_components(links, directed=False)[1]
        out = talk.clusters(zip(records.tolist(), found.tolist(), strict=True))
        if threshold == 0.5:
            talk.stage("cluster")
        talk.answer(out, threshold, labels=0, candidates=len(pairs), versions=versions)

    for threshold in (0.5, *OTHERS):
        answer(threshold)


def _read(pd: Any, path: str, kind: str) -> Any:
    frame = pd.read_csv(path, dtype=str).set_index("record")
    if kind == "historical":
        frame["name_3_4"] = frame["first_name"].str[:3] + frame["surname"].str[:4]
        frame["name_2_2"] = frame["first_name"].str[:2] + frame["surname"].str[:2]
        frame["postcode_3"], frame["year"] = frame["postcode_fake"].str[:3], frame["dob"].str[:4]
    if kind == "contoso":
        frame["name_5"], frame["year"] = frame["sorted_name"].str[:5], frame["birth_date"].str[:4]
    return frame


def _told(np: Any, frames: list[Any], pairs: Any, blocks: tuple[tuple[str, ...], ...]) -> Any:
    """Pairs that one block brings together by values that are there: whatever the index makes of missing ones."""
    left, right = frames[0].loc[pairs.get_level_values(0)], frames[-1].loc[pairs.get_level_values(1)]
    keep = np.zeros(len(pairs), dtype=bool)
    for block in blocks:
        equal = np.ones(len(pairs), dtype=bool)
        for column in block:
            one, other = left[column].to_numpy(), right[column].to_numpy()
            equal &= (one == other) & left[column].notna().to_numpy()
        keep |= equal
    return keep


if __name__ == "__main__":
    main()
