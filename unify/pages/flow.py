"""The picture of rows flowing through the arrows: files → entities → records → customers.

    files          entities        records        customers
    ████───────────████────────────┐
    ███────────────███─────────────┤██████────────┤████
    ██──╮──────────██  a table                    │ one band per cluster size: a band narrows where
        ╰──────────▬ quarantined                  ▬ left out     records become one customer

Heights are rows, to one scale; a flow too thin to see is drawn a little over a pixel high.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from unify.core.reports import EntityReport, RunReport
from unify.pages.figures import count, counted, size_bands
from unify.pages.html import Markup
from unify.pages.svg import box, label, picture, ribbon

WIDTH = 860
LEFT, ENTITIES, RECORDS, CUSTOMERS = 172, 330, 520, 690
"""Left edges of the four columns of nodes."""
NODE = 9
"""Width of a node."""
TALL = 250
"""Height of all rows together."""
SLOT = 34
"""Least height of an entity: two lines of text."""
LINE = 19
"""Least distance of two lines of labels."""
TOP = 46
"""Room for the heads of the columns and a figure below them."""
SEEN = 1.4
"""Least height of a flow."""
MOST_ENTITIES = 12
"""Entities that are drawn one by one; the smaller rest are drawn as one."""
LONGEST_NAME = 20
"""Characters of an entity's name."""


@dataclass(frozen=True)
class Source:
    """Rows of an entity, or of several together. `aside`: reason to rows; `unified`: they are records."""

    name: str
    rows: int
    kept: int
    unified: bool
    aside: dict[str, int]


@dataclass(frozen=True)
class Flow:
    """What the picture shows. `bands`: (records per customer, records, customers)."""

    sources: list[Source] = field(default_factory=list)
    records: int | None = None
    dropped: int = 0
    customers: int = 0
    bands: list[tuple[str, int, int]] = field(default_factory=list)


def flow_of(report: RunReport) -> Flow:
    """The flow of a run. Entities that rules name are records; so are the others when only then the rows add up."""
    clusters = report.clusters
    named = {e for rule in report.rules if rule.kind != "cluster" for e in (*rule.entities, rule.left, rule.right)}
    if clusters is not None and sum(e.rows_kept for e in report.entities if e.entity in named) != clusters.records:
        everything = sum(e.rows_kept for e in report.entities) == clusters.records
        named = {e.entity for e in report.entities} if everything else set()
    sources = [_source(e, e.entity in named and clusters is not None) for e in report.entities]
    sources.sort(key=lambda s: not s.unified)
    if clusters is None:
        return Flow(sources=_fewer(sources))
    return Flow(_fewer(sources), clusters.records, clusters.dropped, clusters.customers, _few_bands(clusters.histogram))


def flow_picture(report: RunReport, name: str = "flow") -> Markup:
    """The picture, or nothing when the run moved no rows."""
    flow = flow_of(report)
    if not any(s.rows for s in flow.sources) and not flow.records:
        return Markup("")
    return _Drawing(flow, name).draw()


def _source(entity: EntityReport, unified: bool) -> Source:
    aside = {
        "quarantined": entity.rows_quarantined,
        "filtered": entity.rows_filtered,
        "replaced": entity.rows_superseded,
    }
    return Source(
        entity.entity, entity.rows_in, entity.rows_kept, unified, {reason: n for reason, n in aside.items() if n}
    )


def _fewer(sources: Sequence[Source]) -> list[Source]:
    """At most MOST_ENTITIES per kind; the smaller ones together."""
    out: list[Source] = []
    for unified in (True, False):
        some = [s for s in sources if s.unified is unified]
        if len(some) > MOST_ENTITIES:
            some.sort(key=lambda s: (-s.rows, s.name))
            rest = some[MOST_ENTITIES - 1 :]
            aside: dict[str, int] = {}
            for source in rest:
                for reason, n in source.aside.items():
                    aside[reason] = aside.get(reason, 0) + n
            together = Source(
                f"{len(rest)} more entities", sum(s.rows for s in rest), sum(s.kept for s in rest), unified, aside
            )
            some = [*some[: MOST_ENTITIES - 1], together]
        out += some
    return out


def _few_bands(histogram: dict[int, int]) -> list[tuple[str, int, int]]:
    """Bands of one, two, three and more records; at most five of them."""
    return size_bands(histogram, most=5) if len(size_bands(histogram, most=5)) <= 5 else _rest_together(histogram)


def _rest_together(histogram: dict[int, int]) -> list[tuple[str, int, int]]:
    small = [(count(n), n * histogram[n], histogram[n]) for n in sorted(histogram)[:4]]
    large = sorted(histogram)[4:]
    more = (f"{large[0]:,} or more", sum(n * histogram[n] for n in large), sum(histogram[n] for n in large))
    return [*small, more]


class _Drawing:
    """Places nodes from left to right, then draws ribbons below nodes below labels."""

    def __init__(self, flow: Flow, name: str) -> None:
        self.flow, self.name = flow, name
        rows = max(sum(s.rows for s in flow.sources), flow.records or 0)
        self.scale = TALL / rows
        self.ribbons: list[Markup] = []
        self.nodes: list[Markup] = []
        self.labels: list[Markup] = []
        self.bottom = float(TOP)

    def draw(self) -> Markup:
        """The whole picture."""
        entered = self._sources()
        if self.flow.records is not None:
            self._records(entered)
        height = self.bottom + 12
        return picture(
            WIDTH, height, "Rows flowing through the run", self._description(), self.ribbons, self.nodes, self.labels,
            name=self.name,
        )  # fmt: skip

    def _height(self, rows: int) -> float:
        return max(rows * self.scale, SEEN) if rows else 0.0

    def _head(self, x: float, text: str, anchor: str = "start") -> None:
        self.labels.append(label(x, 14, text, "head", anchor))

    # ── files and entities ───────────────────────────────────────────────────────────────────────────────────────────

    def _sources(self) -> list[tuple[Source, float]]:
        """Files and entities; returns where the flow of each unified entity starts."""
        if not self.flow.sources:
            return []
        self._head(LEFT + NODE, "files", "end")
        self._head(ENTITIES, "entities")
        entered, leaving = [], []
        y = float(TOP)
        for source in self.flow.sources:
            high, kept = self._height(source.rows), self._height(source.kept)
            css = "fill-main" if source.unified else "fill-rest"
            soft = "flow-main" if source.unified else "flow-rest"
            self.nodes.append(box(LEFT, y, NODE, high, css, f"{source.name}: {counted(source.rows, 'row')}"))
            self.nodes.append(
                box(ENTITIES, y, NODE, kept, css, f"{source.name}: {counted(source.kept, 'row')} accepted")
            )
            self.ribbons.append(ribbon(LEFT + NODE, y, kept, ENTITIES, y, kept, soft))
            middle = y + max(high, SLOT - 6) / 2
            self.labels.append(label(LEFT - 10, middle - 3, _short(source.name), "name", "end"))
            self.labels.append(label(LEFT - 10, middle + 13, counted(source.rows, "row"), "", "end"))
            what = "accepted" if source.unified or self.flow.records is None else "kept as a table"
            self.labels.append(label(ENTITIES + NODE + 8, middle + 4, f"{count(source.kept)} {what}", "on"))
            if source.unified:
                entered.append((source, y))
            leaving.append((source, y + kept))
            y += max(high, SLOT - 6) + 10
        self.bottom = y
        self._aside(leaving)
        return entered

    def _aside(self, leaving: Sequence[tuple[Source, float]]) -> None:
        """Rows that did not become rows of an entity: one node per kind below the entities."""
        starts = [y for _, y in leaving]
        y = self.bottom + 8
        for kind in ("quarantined", "filtered", "replaced"):
            total = sum(s.aside.get(kind, 0) for s, _ in leaving)
            if not total:
                continue
            high = sum(self._height(s.aside.get(kind, 0)) for s, _ in leaving)
            self.nodes.append(box(ENTITIES, y, NODE, high, "fill-aside", f"{counted(total, 'row')} {kind}"))
            offset = y
            for i, (source, _) in enumerate(leaving):
                rows = source.aside.get(kind, 0)
                if not rows:
                    continue
                thin = self._height(rows)
                hint = f"{source.name}: {counted(rows, 'row')} {kind}"
                self.ribbons.append(ribbon(LEFT + NODE, starts[i], thin, ENTITIES, offset, thin, "flow-aside", hint))
                starts[i] += thin
                offset += thin
            self.labels.append(label(ENTITIES + NODE + 8, y + max(high / 2, 4) + 4, f"{count(total)} {kind}", "aside"))
            y += max(high, LINE) + 6
            self.bottom = y

    # ── records and customers ────────────────────────────────────────────────────────────────────────────────────────

    def _records(self, entered: Sequence[tuple[Source, float]]) -> None:
        records, dropped = self.flow.records or 0, self.flow.dropped
        high = sum(self._height(s.kept) for s, _ in entered) if entered else self._height(records)
        first = min((y for _, y in entered), default=float(TOP))
        last = max((y + max(self._height(s.kept), SLOT) for s, y in entered), default=TOP + high)
        y = first + max(0.0, (last - first - high) / 2) if entered else float(TOP)
        self._head(RECORDS, "records")
        self.nodes.append(box(RECORDS, y, NODE, high, "fill-main", counted(records, "record")))
        self.labels.append(label(RECORDS + NODE / 2, y - 8, count(records), "figure", "middle"))
        offset = y
        for source, start in entered:
            thin = self._height(source.kept)
            self.ribbons.append(
                ribbon(
                    ENTITIES + NODE, start, thin, RECORDS, offset, thin, "flow-main",
                    f"{source.name}: {counted(source.kept, 'record')}",
                )
            )  # fmt: skip
            offset += thin
        self.bottom = max(self.bottom, y + high)
        self._customers(y, high)
        if dropped:
            self._dropped(y + high - self._height(dropped), dropped)

    def _customers(self, y: float, high: float) -> None:
        """One band per cluster size: as high as its records on the left, as its customers on the right."""
        self._head(CUSTOMERS, "customers")
        total = sum(self._height(customers) for _, _, customers in self.flow.bands)
        start, end = y, y + max(0.0, (high - total) / 2)
        self.labels.append(label(CUSTOMERS + NODE / 2, end - 8, count(self.flow.customers), "figure", "middle"))
        self.nodes.append(box(CUSTOMERS, end, NODE, total, "fill-main", counted(self.flow.customers, "customer")))
        text = end - LINE
        for i, (size, records, customers) in enumerate(self.flow.bands):
            left, right = self._height(records), self._height(customers)
            what = f"{count(customers)} of {size} record{'' if size == '1' else 's'}"
            self.ribbons.append(
                ribbon(RECORDS + NODE, start, left, CUSTOMERS, end, right, f"flow-main step-{i % 2}", what)
            )
            text = max(text + LINE, end + right / 2 + 4)
            self.labels.append(label(CUSTOMERS + NODE + 10, text, what))
            start, end = start + left, end + right
        self.bottom = max(self.bottom, end, text)

    def _dropped(self, y: float, dropped: int) -> None:
        """Records that are no customers, because their entity leaves out what matches nothing."""
        thin = self._height(dropped)
        end = self.bottom + 14
        hint = f"{counted(dropped, 'record')} left out"
        self.ribbons.append(ribbon(RECORDS + NODE, y, thin, CUSTOMERS, end, thin, "flow-aside", hint))
        self.nodes.append(box(CUSTOMERS, end, NODE, thin, "fill-aside", hint))
        self.labels.append(label(CUSTOMERS + NODE + 10, end + thin / 2 + 4, f"{count(dropped)} left out", "aside"))
        self.bottom = end + max(thin, LINE)

    def _description(self) -> str:
        """The picture in words, for who cannot see it."""
        said = []
        for s in self.flow.sources:
            went = "".join(f", {count(n)} {reason}" for reason, n in s.aside.items())
            said.append(f"{s.name}: {counted(s.rows, 'row')}, {count(s.kept)} accepted{went}.")
        if self.flow.records is not None:
            left = f" {counted(self.flow.dropped, 'record')} left out." if self.flow.dropped else ""
            said.append(
                f"{counted(self.flow.records, 'record')} became {counted(self.flow.customers, 'customer')}.{left}"
            )
        return " ".join(said)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
