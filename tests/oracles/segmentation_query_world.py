"""The worlds of tests/oracles/segmentation_query.py as the product sees them: a model, and an Engine on DuckDB."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import duckdb

from segments.lowered import Scope
from segments.model import Model
from segments.predicates.compile import rows_where
from segments.predicates.fields import Catalog, Relation, Table
from segments.vendor.segmentation_query import lower_query
from unify.spec import Project
from unify.spec.segmentation_query import SegmentationQuery


def load_beside(name):
    """A module of this folder, once for all tests."""
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle = load_beside("segmentation_query")


def model_of_world():
    """What `model_of` would make of such tables."""
    tables = [Table.of_columns(n, c, id="ordinal" if n == "Customer" else "") for n, c in oracle.TABLES.items()]
    hops = {n: hop for n, hop in oracle.HOPS.items() if hop[0]}
    relations = [
        Relation("crm_Contacts", "Customer", "CustomerId", "crm_Contacts", "ContactId", through="crm.Contacts")
    ]
    relations += [Relation(n, *hop) for n, hop in hops.items()]
    relations += [Relation(n, b, c, a, d, many=False) for n, (a, d, b, c) in hops.items() if a != "Customer"]
    relations += [Relation("Customer_Measure", "Customer", "ordinal", "Customer_Measure", "ordinal", many=False)]
    catalog = Catalog.of(tables, relations, segments={"staff": "segment_staff"})
    names = ["crm.Contacts", "web.Orders", "web.Lines", "web.Parcels", "web.Reviews", "geo.Regions"]
    project = Project.model_validate({"sources": {"crm": {"Contacts": {"key": "ContactId", "files": "x.csv"}}}})
    shortcuts = {("Customer", t): path for t, path in oracle.PATHS.items() if len(path) > 1}
    return Model(catalog, project, shortcuts, entities={n.replace(".", "_"): n for n in names})


class Connected:
    """One world, in Python and in DuckDB; an Engine as far as a query needs one."""

    def __init__(self, world):
        self.world = world
        self.connection = duckdb.connect(config={"threads": 1})
        oracle.load(self.connection, self.world)
        self.model = model_of_world()

    def fetch(self, query):
        return self.connection.sql(query.sql, params=query.params or None).to_arrow_table()

    def members(self, query, zone="UTC"):
        lowered = lower_query(SegmentationQuery.model_validate(query), self.model, timezone=zone)
        return self.evaluated(lowered.expr, lowered.blocks), lowered

    def evaluated(self, expr, blocks):
        tables = dict(self.model.catalog.segments)
        for i, (key, block) in enumerate(blocks.items()):
            found = block.members(Scope(self, self.model, oracle.CLOCK))
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE block_{i} (ordinal INTEGER)")
            self.connection.executemany(f"INSERT INTO block_{i} VALUES (?)", [[o] for o in found] or [[None]])
            tables[key] = f"block_{i}"
        catalog = self.model.with_segments(tables).catalog
        answer = self.fetch(rows_where(expr, catalog, "Customer", clock=oracle.CLOCK))
        return set(answer.column("id").to_pylist())
