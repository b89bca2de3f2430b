"""What SQL of a user's may be made of. Everything else is refused, also what DuckDB learns tomorrow.

The names are a hand-made choice from `duckdb_functions()` of DuckDB 2.0. Left out on purpose: whatever reads or writes
files, settings, logs, variables, sequences or the catalog; runs SQL from a text; sleeps; is left to chance; or speaks
of the engine's insides. The fence of `runner.py` holds without this list; the list says no sooner and in words.
"""

_AGGREGATES = """
any_value approx_count_distinct approx_quantile arbitrary arg_max arg_max_null arg_min arg_min_null argmax argmin
array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif covar_pop covar_samp
entropy favg first fsum geomean geometric_mean group_concat histogram kahan_sum kurtosis kurtosis_pop last list
listagg mad max max_by mean median min min_by mode product quantile quantile_cont quantile_disc regr_avgx regr_avgy
regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp
string_agg sum sumkahan var_pop var_samp variance wavg weighted_avg
"""
_WINDOWS = """
cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number
"""
_TEXT = """
array_to_string ascii bar base64 bit_length char_length character_length chr concat concat_ws contains
damerau_levenshtein decode editdist3 encode ends_with format format_bytes formatreadablesize from_base64 from_hex
hamming hex ilike_escape instr jaccard jaro_similarity jaro_winkler_similarity lcase left left_grapheme length
length_grapheme len levenshtein like_escape lower lpad ltrim md5 mismatches nfc_normalize not_ilike_escape
not_like_escape octet_length ord overlay position prefix printf regexp_escape regexp_extract regexp_extract_all
regexp_full_match regexp_matches regexp_replace regexp_split_to_array repeat replace reverse right right_grapheme
rpad rtrim sha1 sha256 split split_part starts_with str_split str_split_regex string_split string_split_regex
string_to_array strip_accents strlen strpos substr substring substring_grapheme suffix to_base64 to_hex translate
trim ucase unhex unicode upper url_decode url_encode
"""
_NUMBERS = """
abs acos acosh add asin asinh atan atan2 atanh bin bit_count cbrt ceil ceiling cos cosh cot degrees divide even exp
factorial fdiv floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm least
least_common_multiple lgamma ln log log10 log2 mod multiply nextafter pi pow power radians round round_even
roundbankers sign signbit sin sinh sqrt subtract tan tanh to_base trunc xor
"""
_TIMES = """
age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname
dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era hour isodow isoyear julian
last_day make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond
millennium millisecond minute month monthname nanosecond quarter second strftime strptime time_bucket timezone
timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_millennia to_milliseconds
to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years try_strptime week weekday weekofyear year
yearweek
"""
_NESTED = """
array_append array_cat array_concat array_contains array_distinct array_extract array_filter array_has array_has_all
array_has_any array_indexof array_intersect array_length array_position array_prepend array_reverse
array_reverse_sort array_slice array_sort array_transform array_unique array_value array_where array_zip cardinality
element_at flatten generate_series list_any_value list_append list_apply list_avg list_bool_and list_bool_or list_cat
list_concat list_contains list_count list_distinct list_element list_extract list_filter list_first list_has
list_has_all list_has_any list_indexof list_intersect list_last list_max list_median list_min list_mode list_pack
list_position list_prepend list_product list_reduce list_reverse list_reverse_sort list_select list_slice list_sort
list_string_agg list_sum list_transform list_unique list_value list_where list_zip map map_concat map_contains
map_entries map_extract map_extract_value map_from_entries map_keys map_values range row struct_concat
struct_contains struct_extract struct_extract_at struct_has struct_insert struct_keys struct_pack struct_position
struct_update struct_values unnest
"""
_JSON = """
from_json json_array json_array_length json_contains json_exists json_extract json_extract_path
json_extract_path_text json_extract_string json_keys json_object json_quote json_type json_valid json_value to_json
"""
_OTHERS = "if nullif typeof"
CLOCK = frozenset({
    "now", "current_timestamp", "get_current_timestamp", "transaction_timestamp", "localtimestamp",
    "current_localtimestamp", "current_date", "today",
})  # fmt: skip
"""Functions of the run's clock: the fence makes each a constant."""
CHANCE = frozenset({"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "setseed"})
"""Refused like all that is not listed; who asks for them is told of lots."""
FUNCTIONS = CLOCK.union(*(s.split() for s in (_AGGREGATES, _WINDOWS, _TEXT, _NUMBERS, _TIMES, _NESTED, _JSON, _OTHERS)))
OPERATORS = frozenset({
    "+", "-", "*", "/", "//", "%", "**", "^", "&", "|", "<<", ">>", "~", "~~", "!~~", "~~*", "!~~*", "~~~", "^@", "||",
    "@", "@>", "<@", "&&", "->", "->>", "!", "!__postfix",
})  # fmt: skip
TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})
TWO_ARGUMENTS = frozenset({"age"})
"""With one argument, `age` counts to the machine's today."""

KEYWORDS = frozenset({
    "current_catalog", "current_schema", "current_role", "current_user", "session_user", "user", "current_time",
    "localtime",
})  # fmt: skip
"""Bare words that DuckDB answers itself, when no column is called so."""

_TYPES = """
boolean bool logical tinyint int1 smallint int2 short int16 integer int int4 signed int32 bigint int8 long oid int64
hugeint int128 utinyint uint8 usmallint uint16 uinteger uint32 ubigint uint64 uhugeint uint128 float real float4
double float8 decimal numeric dec varchar text string char bpchar nvarchar blob bytea binary varbinary uuid guid
date time timestamp datetime timestamp_us timestamp_s timestamp_ms timestamp_ns timestamptz timetz interval json
list array struct row map bit bitstring
"""
TYPES = frozenset(_TYPES.split()) | {"timestamp with time zone", "time with time zone", "double precision"}
"""Names that a cast may name, as DuckDB's parser gives them, in small letters."""

WALK, FREE = "walk", "free"
"""What a key of a node holds: nodes to look into, or something harmless."""
Shape = dict[str, str | frozenset[str]]
"""Key of a node → what it holds, or the only values it may have."""


def _shape(walk: str = "", free: str = "", **only: str) -> Shape:
    kept = {**dict.fromkeys(walk.split(), WALK), **dict.fromkeys(free.split(), FREE)}
    return {**kept, **{key: frozenset(values.split()) for key, values in only.items()}}


_COMPARED = _shape("left right")
_CHILDREN = _shape("children")
NODES: dict[str, Shape] = {
    # questions
    "SELECT_NODE": _shape("modifiers select_list from_table where_clause group_expressions having qualify",
                          "group_sets aggregate_handling"),
    "SET_OPERATION_NODE": _shape("modifiers children", "setop_type setop_all"),
    "RECURSIVE_CTE_NODE": _shape("modifiers left right", "cte_name union_all aliases"),
    "ORDER_MODIFIER": _shape("orders"),
    "LIMIT_MODIFIER": _shape("limit offset", "limit_type"),
    "DISTINCT_MODIFIER": _shape("distinct_on_targets"),
    "ORDER_DEFAULT": _shape("expression", "null_order"),
    "ASCENDING": _shape("expression", "null_order"),
    "DESCENDING": _shape("expression", "null_order"),
    # what stands behind FROM
    "BASE_TABLE": _shape("", "table_name column_name_alias qualified_name"),
    "SUBQUERY": _shape("subquery", "column_name_alias"),
    "JOIN": _shape("left right condition", "join_type using_columns delim_flipped is_implicit nearest_count "
                   "nearest_order_type nearest_approx", ref_type="REGULAR CROSS NATURAL ASOF"),
    "EMPTY": {},
    "EXPRESSION_LIST": _shape("values", "column_name_alias"),
    "TABLE_FUNCTION": _shape("function", "column_name_alias with_ordinality"),
    # expressions, by their class
    "COLUMN_REF": _shape("", "column_names"),
    "CONSTANT": _shape("", "literal"),
    "FUNCTION": _shape("order_bys filter arguments", "function_name distinct is_operator qualified_name",
                       export_state="False"),
    "WINDOW": _shape("partitions orders start_expr end_expr offset_expr default_expr filter_expr arguments arg_orders "
                     "filter order_bys",
                     "function_name start end ignore_nulls has_ignore_nulls exclude_clause distinct "
                     "qualified_name"),
    "CAST": _shape("child type_expr", "try_cast"),
    "TYPE": _shape("children", "type_name qualified_name"),
    "CASE": _shape("case_checks else_expr"),
    "BETWEEN": _shape("input lower upper"),
    "COMPARISON": _COMPARED,
    "CONJUNCTION": _CHILDREN,
    "OPERATOR": _CHILDREN,
    "expression SUBQUERY": _shape("subquery child", "subquery_type comparison_type"),
    "STAR": _shape("expr replace_list", "columns exclude_list rename_list relation_name"),
    "COLLATE": _shape("child", "collation"),
    "LAMBDA": _shape("lhs expr", "syntax_type"),
    # what has neither type nor class, by the key it stands under
    "key arguments": _shape("expression", "name"),
    "key case_checks": _shape("when_expr then_expr"),
    "key subquery": _shape("node"),
    "key replace_list": _shape("value", "key"),
}  # fmt: skip
EVERYWHERE = frozenset({"class", "type", "alias", "query_location", "query_location_length", "cte_map"})
"""Keys of any node. `cte_map` is looked into where names are looked up."""
OPERATOR_TYPES = frozenset({
    "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT", "COMPARE_IN", "COMPARE_NOT_IN", "GROUPING_FUNCTION",
    "OPERATOR_COALESCE", "OPERATOR_IS_NOT_NULL", "OPERATOR_IS_NULL", "OPERATOR_NOT", "OPERATOR_TRY", "OPERATOR_UNPACK",
    "ARRAY_CONSTRUCTOR",
})  # fmt: skip

REFUSED_BECAUSE: dict[str, str] = {
    "SHOW_REF": "DESCRIBE, SHOW and SUMMARIZE are no part of a question",
    "PIVOT": "PIVOT and UNPIVOT are not taken",
    "INSERT_QUERY_NODE": "INSERT changes data",
    "UPDATE_QUERY_NODE": "UPDATE changes data",
    "DELETE_QUERY_NODE": "DELETE changes data",
    "MERGE_QUERY_NODE": "MERGE changes data",
    "COPY_QUERY_NODE": "COPY writes files",
    "PARAMETER": "a parameter has no value here",
    "DEFAULT": "DEFAULT belongs to INSERT",
    "POSITIONAL_REFERENCE": "#1 and the like are not taken",
}
HINTS: dict[str, str] = {
    "PARAMETER": "write the value itself",
    "POSITIONAL_REFERENCE": "write the column's name",
    "PIVOT": "use an aggregate with FILTER (WHERE …) per column",
}
