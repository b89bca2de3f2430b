"""Splink settings as a conflation plan: its comparisons become the evidence of one scored rule.

settings    the file: comparisons and their levels; what it must have, what it may have
conditions  the SQL of a level: which columns, equal or how much alike
carried     levels as per cent, one piece of evidence per column, and in words what has no counterpart
plan        columns of the project, the rule, the Suggestion

    {"output_column_name": "first_name", "comparison_levels": [          - field: first_name
        {"sql_condition": '"first_name_l" = "first_name_r"', …},    →      levels: [80.0]
        {"sql_condition": 'jaro_winkler_similarity(…) >= 0.9', …}]}        term_frequency: false
"""
