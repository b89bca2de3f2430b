"""OData text into trees and back; what names mean and how data answers is for others.

    text ─url─▶ parts ─lexer─▶ tokens ─expr, paths, search, apply, options─▶ ast, ast_* ─printer─▶ text

    parse_request("Customer?$filter=Age gt 30")   → Request
    parse_expression("Age gt 30")                 → Binary
    print_request(request), print_expression(…)   → text that parses into the same tree

Every refusal is an ODataSyntaxError (a QueryError) with the position, what was expected, and the next move.
"""

from segments.odata.dialect import CUSTOMER_INSIGHTS, OASIS, Dialect
from segments.odata.errors import ODataSyntaxError
from segments.odata.printer import print_expression
from segments.odata.printer_options import print_option, print_options, print_path, print_request
from segments.odata.url import parse_expression, parse_option, parse_options, parse_path, parse_request

__all__ = [
    "CUSTOMER_INSIGHTS", "OASIS", "Dialect", "ODataSyntaxError", "parse_expression", "parse_option", "parse_options",
    "parse_path", "parse_request", "print_expression", "print_option", "print_options", "print_path", "print_request",
]  # fmt: skip
