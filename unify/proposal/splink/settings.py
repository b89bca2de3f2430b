"""A Splink settings file, versions 3 to 5: what stands in it, and in words what is not known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unify.core.documents import parse_mapping, read_text
from unify.core.errors import SpecError, did_you_mean

LINK_TYPES = ("dedupe_only", "link_only", "link_and_dedupe")
SAYS_WHAT = {"link_type", "comparisons", "blocking_rules_to_generate_predictions", "unique_id_column_name",
             "source_dataset_column_name", "probability_two_random_records_match"}  # fmt: skip
TRAINING = {"em_convergence", "max_iterations"}
OUTPUT = {"retain_matching_columns", "retain_intermediate_calculation_columns", "additional_columns_to_retain",
          "bayes_factor_column_prefix", "match_weight_column_prefix", "term_frequency_adjustment_column_prefix",
          "comparison_vector_value_column_prefix", "linker_uid", "sql_dialect"}  # fmt: skip
"""Keys about the tables that Splink makes and the engine that it runs on."""
KEYS = SAYS_WHAT | TRAINING | OUTPUT
COMPARISON_KEYS = {"output_column_name", "comparison_levels", "comparison_description"}
LEVEL_KEYS = {"sql_condition", "label_for_charts", "m_probability", "u_probability", "fix_m_probability",
              "fix_u_probability", "is_null_level", "tf_adjustment_column", "tf_adjustment_weight",
              "tf_minimum_u_value", "disable_tf_exact_match_detection"}  # fmt: skip
BLOCKING_KEYS = {"blocking_rule", "sql_dialect", "salting_partitions", "arrays_to_explode"}
OLD = {"comparison_columns", "proportion_of_matches"}
"""Keys of versions 1 and 2."""


@dataclass(frozen=True)
class Level:
    """One level of a comparison.

    m, u        probabilities, where the file has them; `fixed`: which of them were not to be learned
    missing     it is about values that are not there
    weight      of the term frequency of `term_column`; `least_u`: what a rare value's u may not be less than
    undetected  frequencies are not taken from the level of equality
    """

    condition: str
    label: str
    m: float | None = None
    u: float | None = None
    fixed: tuple[str, ...] = ()
    missing: bool = False
    term_column: str | None = None
    weight: float = 1.0
    least_u: float = 0.0
    undetected: bool = False


@dataclass(frozen=True)
class Comparison:
    """One comparison: its name, and its levels from the most alike to the rest."""

    name: str
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Settings:
    """What a settings file says. `blocking`: its rules as text; `said`: all other keys; `unknown`: notes on keys
    that no version has."""

    link_type: str
    comparisons: tuple[Comparison, ...]
    blocking: tuple[str, ...]
    said: Mapping[str, Any]
    unknown: tuple[str, ...]


def read_settings(given: str | Path | Mapping[str, Any]) -> tuple[Settings, str]:
    """The settings, and where they stand. SpecError for a file that is none, with the place of what is wrong."""
    if isinstance(given, Mapping):
        return settings_of(given, "Splink settings"), "Splink settings"
    if not isinstance(given, str | Path):
        hint = 'the path of a JSON file, or a dict: `creator.create_settings_dict("duckdb")`'
        raise SpecError(f"a {type(given).__name__} holds no Splink settings", where="splink", hint=hint)
    path = Path(given)
    text = read_text(path, hint="a JSON file written by `linker.misc.save_model_to_json`, or a settings dict")
    return settings_of(parse_mapping(text, where=str(path), is_json=True), str(path)), path.name


def settings_of(data: Mapping[str, Any], where: str) -> Settings:
    """The same from what a file holds."""
    if OLD & set(data):
        hint = "open them in Splink 3 or later first, and save them from there"
        raise SpecError("these are settings of Splink 1 or 2", where=where, hint=hint)
    missing = [key for key in ("link_type", "comparisons") if key not in data]
    if missing:
        hint = "a settings file has link_type and comparisons; " + did_you_mean(missing[0], data)
        raise SpecError(f"{' and '.join(missing)} missing: no Splink settings", where=where, hint=hint)
    if data["link_type"] not in LINK_TYPES:
        raise SpecError(f"link_type: {data['link_type']!r} is none", where=where,
                        hint=did_you_mean(str(data["link_type"]), LINK_TYPES))  # fmt: skip
    listed = _list(data["comparisons"], "comparisons", where)
    if not listed:
        raise SpecError("there are no comparisons in it", where=where, hint="add some in Splink, and save it again")
    rules = _list(data.get("blocking_rules_to_generate_predictions") or [], "blocking rules", where)
    return Settings(
        link_type=data["link_type"],
        comparisons=tuple(_comparison(c, f"comparisons.{k}", where) for k, c in enumerate(listed)),
        blocking=tuple(_blocking(rule, k, where) for k, rule in enumerate(rules)),
        said={k: v for k, v in data.items() if k in KEYS and k not in ("comparisons", "link_type")},
        unknown=tuple(_unknown(data, listed, rules)),
    )


def _comparison(data: Any, place: str, where: str) -> Comparison:
    if not isinstance(data, Mapping) or "comparison_levels" not in data:
        hint = '`SettingsCreator(…).create_settings_dict("duckdb")` writes all of them out'
        raise SpecError(f"{place}: a comparison has comparison_levels", where=where, hint=hint)
    levels = _list(data["comparison_levels"], f"{place}.comparison_levels", where)
    read = tuple(_level(level, f"{place}.comparison_levels.{k}", where) for k, level in enumerate(levels))
    return Comparison(str(data.get("output_column_name") or place), read)


def _level(data: Any, place: str, where: str) -> Level:
    if not isinstance(data, Mapping) or not isinstance(data.get("sql_condition"), str):
        raise SpecError(f"{place}: a level has an sql_condition", where=where)
    term = data.get("tf_adjustment_column")
    return Level(
        condition=data["sql_condition"],
        label=" ".join(str(data.get("label_for_charts") or data["sql_condition"]).split()),
        m=_number(data, "m_probability", place, where),
        u=_number(data, "u_probability", place, where),
        fixed=tuple(key[4] for key in ("fix_m_probability", "fix_u_probability") if data.get(key)),
        missing=bool(data.get("is_null_level")),
        term_column=str(term).strip('"`') if term else None,
        weight=_or(_number(data, "tf_adjustment_weight", place, where), 1.0),
        least_u=_or(_number(data, "tf_minimum_u_value", place, where), 0.0),
        undetected=bool(data.get("disable_tf_exact_match_detection")),
    )


def _number(data: Mapping[str, Any], key: str, place: str, where: str) -> float | None:
    value = data.get(key)
    if value is None or isinstance(value, str):  # Splink 3 writes "level not observed in training dataset"
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SpecError(f"{place}.{key}: {value!r} is no number", where=where)
    return float(value)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _blocking(rule: Any, number: int, where: str) -> str:
    sql = rule.get("blocking_rule") if isinstance(rule, Mapping) else rule
    if not isinstance(sql, str):
        raise SpecError(f"blocking_rules_to_generate_predictions.{number}: a rule is SQL text", where=where)
    text = " ".join(sql.split())
    if isinstance(rule, Mapping):
        apart = [f"{key} {rule[key]}" for key in ("salting_partitions", "arrays_to_explode") if rule.get(key)]
        text += f" ({', '.join(apart)})" if apart else ""
    return text


def _list(value: Any, what: str, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise SpecError(f"{what}: a list is wanted here", where=where)
    return value


def _unknown(data: Mapping[str, Any], comparisons: Sequence[Any], rules: Sequence[Any]) -> Iterator[str]:
    yield from _strange(data, KEYS, "the settings")
    for k, comparison in enumerate(comparisons):
        name = comparison.get("output_column_name") or f"comparisons.{k}"
        yield from _strange(comparison, COMPARISON_KEYS, str(name))
        for number, level in enumerate(comparison["comparison_levels"]):
            yield from _strange(level, LEVEL_KEYS, f"{name}, level {number}")
    for k, rule in enumerate(rules):
        if isinstance(rule, Mapping):
            yield from _strange(rule, BLOCKING_KEYS, f"blocking rule {k + 1}")


def _strange(data: Mapping[str, Any], known: Iterable[str], at: str) -> Iterator[str]:
    names = set(known)
    for key in data:
        if key not in names:
            yield f"{at}: the key {key!r} is not known and not used; {did_you_mean(str(key), names)}"
