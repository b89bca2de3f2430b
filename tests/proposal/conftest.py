"""Invented people in two systems that call everything by other names, with the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.fields import Draws, people, records
from ingest.load import load
from unify.core.documents import project_of
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project

CRM, SHOP = "crm.Contacts", "shop.Buyers"
SHOP_NAMES = {"FullName": "Buyer", "BirthDate": "Born", "EMail": "Mail", "Telephone": "Phone", "City": "Town", "PostCode": "Zip"}  # fmt: skip


@dataclass(frozen=True)
class World:
    """Frames by entity, a project that names their keys, and (entity, key) → person."""

    frames: dict[str, pa.Table]
    person: dict[tuple[str, str], int]

    @property
    def said(self) -> dict[str, Any]:
        """The project as a mapping."""
        return {"name": "invented", "sources": {"crm": {"Contacts": {"key": "Id"}}, "shop": {"Buyers": {"key": "No"}}}}

    @property
    def project(self) -> Project:
        """The project, read."""
        return project_of(self.said)

    def shuffled(self, seed: int) -> dict[str, pa.Table]:
        """The frames with their rows in another order."""
        draw = np.random.default_rng(seed)
        return {e: t.take(pa.array(draw.permutation(t.num_rows))) for e, t in self.frames.items()}

    def loaded(self, engine: DuckDBEngine) -> DuckDBEngine:
        """The engine, with the tables of the frames."""
        for entity, frame in self.frames.items():
            load(engine, entity, self.project.entity(entity), frame, base=Path())
        return engine


def world_of(size: int, seed: int = 11) -> World:
    """`size` people in the CRM, one in ten of them twice; two thirds of them in the shop, and some whom it has alone."""
    draws = Draws(seed, 0)
    of = people(draws, size + size // 5)
    dice = np.random.default_rng(seed)
    crm = np.concatenate([np.arange(size), dice.choice(size, size // 10, replace=False)])
    shop = np.concatenate([dice.choice(size, 2 * size // 3, replace=False), np.arange(size, size + size // 5)])
    a, b = (records(draws, of, persons) for persons in (crm, shop))
    left = a.select(["FirstName", "LastName", "BirthDate", "EMail", "Telephone", "City", "PostCode"])
    right = b.select(list(SHOP_NAMES)).rename_columns(list(SHOP_NAMES.values()))
    keys = [f"C{i:05d}" for i in dice.permutation(len(crm))], [f"B{i:05d}" for i in dice.permutation(len(shop))]
    frames = {CRM: left.add_column(0, "Id", pa.array(keys[0])), SHOP: right.add_column(0, "No", pa.array(keys[1]))}
    person = {(CRM, k): int(p) for k, p in zip(keys[0], crm, strict=True)}
    return World(frames, person | {(SHOP, k): int(p) for k, p in zip(keys[1], shop, strict=True)})


@pytest.fixture(scope="session")
def world() -> World:
    """Some 1,400 records."""
    return world_of(700)


@pytest.fixture(scope="session")
def engine_of_world(world):
    """An engine that has the world's tables; studying it makes scratch tables, again and again."""
    with DuckDBEngine() as engine:
        yield world.loaded(engine)
