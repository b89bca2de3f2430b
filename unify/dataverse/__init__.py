"""Dataverse tables over the record store: what they are, how they are written, how they are asked."""
