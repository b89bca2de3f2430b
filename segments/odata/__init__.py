"""OData: text into trees and back (here), what names mean (binding), $apply (aggregation), rows (answers).

    syntax   text ─url─▶ parts ─lexer─▶ tokens ─expr, paths, search, apply, options─▶ ast, ast_* ─printer─▶ text
    binding  expressions ─▶ predicate trees     aggregation  $apply ─▶ one SELECT     answers  requests ─▶ rows

    parse_request("Customer?$filter=Age gt 30")   → Request
    parse_expression("Age gt 30")                 → Binary
    print_request(request), print_expression(…)   → text that parses into the same tree

Every refusal is an ODataSyntaxError (a QueryError) with the position, what was expected, and the next move.
"""

from segments.odata.dialect import CUSTOMER_INSIGHTS, OASIS, STANDARD, Dialect
from segments.odata.errors import ODataSyntaxError
from segments.odata.syntax.printer import print_expression
from segments.odata.syntax.printer_options import print_option, print_options, print_path, print_request
from segments.odata.syntax.url import parse_expression, parse_option, parse_options, parse_path, parse_request

__all__ = [
    "CUSTOMER_INSIGHTS", "OASIS", "STANDARD", "Dialect", "ODataSyntaxError", "parse_expression", "parse_option",
    "parse_options", "parse_path", "parse_request", "print_expression", "print_option",
    "print_options", "print_path", "print_request",
]  # fmt: skip
