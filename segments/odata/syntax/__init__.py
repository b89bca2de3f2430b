"""OData text into trees and back, without knowing what names mean: lexer, grammar, trees (ast, ast_*), printers."""
