"""Unify: export files in, one master customer dataset out."""
