"""Requests answered: text in, rows out.

    answer("Customer?$filter=City eq 'Bern'&$expand=UnifiedActivity&$top=5", engine, model, clock=now)

    text ─parse─▶ Request ─place_of─▶ Place ─read_level─▶ Level ─read_page, expand─▶ ODataAnswer

One SELECT for the page, one for each expanded relation, one for a count. A page's next link says which generation it
was read from; who keeps generations opens that one (`generation_asked`) and answers from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

from segments.model import Model
from segments.odata.answers.apply import applied, count_applied, read_applied
from segments.odata.answers.contexts import expanded_columns, linked, selection
from segments.odata.answers.entity_sets import entity_sets, is_table, public
from segments.odata.answers.expand import expand, hidden_columns, reference
from segments.odata.answers.formats import CSV, Format, format_of, refuse_csv
from segments.odata.answers.ground import EXPANDED_PAGE, Ground
from segments.odata.answers.level import (
    EVERYWHERE,
    OF_COLLECTION,
    OF_COUNT,
    OF_ENTITY,
    OF_PROPERTY,
    OF_REFERENCES,
    Level,
    check_options,
    read_level,
)
from segments.odata.answers.pages import Position, next_link, page_size, position_of, question_of
from segments.odata.answers.path import Place, place_of
from segments.odata.answers.result import ODataAnswer, text_answer
from segments.odata.answers.rows import count_rows, read_page
from segments.odata.answers.segments_named import segments_named
from segments.odata.dialect import CUSTOMER_INSIGHTS, Dialect
from segments.odata.errors import ODataUnsupportedError, shown
from segments.odata.syntax import ast_options as o
from segments.odata.syntax.ast import Name, System
from segments.odata.syntax.ast_options import Request
from segments.odata.syntax.printer_options import print_path
from segments.odata.syntax.url import parse_request
from unify.core.engine import Engine
from unify.core.errors import NotFoundError, QueryError

Prepare = Callable[[frozenset[str]], Model]
"""Names of segments to the model whose catalog has the tables of their members."""
SegmentSets = Callable[[], Mapping[str, str]]
"""Entity sets that are segments: name of the set → segment; asked only when a request needs to know."""


@lru_cache(512)
def parsed(text: str, dialect: Dialect) -> Request:
    """`parse_request`, remembered: a client asks the same question of every page and every refresh."""
    return parse_request(text, dialect)


def generation_asked(request: str | Request, dialect: Dialect = CUSTOMER_INSIGHTS) -> int | None:
    """The generation that a next link belongs to; None for a first page. QueryError for a damaged link."""
    position = position_of(parsed(request, dialect) if isinstance(request, str) else request)
    return position.generation if position else None


def answer(
    request: str | Request,
    engine: Engine,
    model: Model,
    *,
    clock: datetime,
    dialect: Dialect = CUSTOMER_INSIGHTS,
    page_size: int | None = None,
    expand_size: int = EXPANDED_PAGE,
    generation: int = 0,
    root: str = "",
    prepare: Prepare | None = None,
    segments: SegmentSets | None = None,
    accept: str | None = None,
) -> ODataAnswer:
    """The answer, or its first page, or the page that a next link names.

    request      what stands behind the service root, percent-encoded or not
    clock        what `now()` is; UTC when it says no zone. A next link keeps the one of its first page
    page_size    rows a page, 1 to 10,000; 100 unless it or a next link says otherwise
    expand_size  rows of one expanded relation at one row
    generation   the number of the generation that `engine` is on; next links carry it
    root         what links and contexts begin with, e.g. `https://host/v1/instances/42/data/`
    prepare      makes the members of the segments that a request names available
    segments     which segments are entity sets
    accept       the format where `$format` says none, in the words of `$format`

    QueryError for what cannot be asked: ODataSyntaxError and BindError say where, NotFoundError is for what is not
    there, ODataUnsupportedError for what OData has and this product has not.
    """
    asked = parsed(request, dialect) if isinstance(request, str) else request
    return answering(
        asked, engine, model, clock=clock, dialect=dialect, page_size=page_size, expand_size=expand_size,
        generation=generation, root=root, prepare=prepare, segments=segments, accept=accept,
    ).followed()  # fmt: skip


def answering(
    request: Request,
    engine: Engine,
    model: Model,
    *,
    clock: datetime,
    dialect: Dialect = CUSTOMER_INSIGHTS,
    page_size: int | None = None,
    expand_size: int = EXPANDED_PAGE,
    generation: int = 0,
    root: str = "",
    prepare: Prepare | None = None,
    segments: SegmentSets | None = None,
    accept: str | None = None,
) -> "Answering":
    """A request over its ground; parameters as of `answer`."""
    position = position_of(request)
    if position and position.generation != generation:
        message = f"this page is of generation {position.generation}, not of {generation}"
        raise NotFoundError(message, where="$skiptoken", hint="open that generation, or ask again without $skiptoken")
    _check_schema_version(request, model)
    sets = segments() if segments is not None and _looks_for_segments(request, model) else {}
    named = segments_named(request, sets)
    full = prepare(named) if named and prepare else model
    ground = Ground(
        engine=engine,
        model=full,
        public=public(full),
        clock=_utc(datetime.fromisoformat(position.clock) if position else clock),
        aliases=request.aliases(),
        generation=generation,
        size=_size(page_size, position),
        expand_size=expand_size,
        segments=sets,
    )
    again = partial(
        answering, engine=engine, model=model, clock=clock, dialect=dialect, page_size=page_size,
        expand_size=expand_size, generation=generation, root=root, prepare=prepare, segments=segments, accept=accept,
    )  # fmt: skip
    return Answering(ground, request, position, root, accept, dialect, again)


def _check_schema_version(request: Request, model: Model) -> None:
    said = next((x for x in request.options if isinstance(x, o.Text) and x.name == EVERYWHERE), None)
    if said is None or said.value == "*":
        return
    from segments.odata.answers.csdl import schema_version

    current = schema_version(public(model))
    if said.value != current:
        hint = f"the types are of version {current}; * takes any"
        raise NotFoundError(f"there is no version {shown(said.value)} of the types", where=EVERYWHERE, hint=hint)


def _looks_for_segments(request: Request, model: Model) -> bool:
    """Whether the answer depends on which segments are sets: documents, and names that are no table's."""
    first = request.path.segments[0] if request.path.segments else None
    return not (isinstance(first, Name) and is_table(model, first.text))


def _utc(clock: datetime) -> datetime:
    return clock.astimezone(UTC).replace(tzinfo=None) if clock.tzinfo else clock


def _size(wanted: int | None, position: Position | None) -> int:
    return position.size if position and wanted is None else page_size(wanted)


@dataclass(frozen=True)
class Answering:
    """One request over its ground. `again`: another one over the same."""

    ground: Ground
    request: Request
    position: Position | None
    root: str
    accept: str | None
    dialect: Dialect
    again: "Callable[[Request], Answering]"

    def followed(self) -> ODataAnswer:
        """The answer, which finds its next pages."""
        made = self.answer()
        if made.next_link is not None:
            made.follow = partial(self._follow, made.next_link.removeprefix(self.root))
        return made

    def _follow(self, link: str) -> ODataAnswer:
        return self.again(parsed(link, self.dialect)).followed()

    def place(self) -> Place:
        """Which rows."""
        return place_of(self.ground, self.request.path)

    def answer(self) -> ODataAnswer:
        """The answer, or one page of it."""
        segments = self.request.path.segments
        if not segments:
            return self._service_document()
        if isinstance(segments[0], System):
            return self._system(segments[0].name)
        place = self.place()
        if place.property:
            return self._property(place)
        if place.tail == "$count":
            if self._applies:
                query = applied(self.ground, place, self.request.options, count=True)
                return text_answer(count_applied(self.ground, query))
            check_options(self.request.options, OF_COUNT, "/$count")
            return text_answer(count_rows(self.ground, self.level(place), place.narrowed))
        if place.single:
            return self._entity(place)
        if self._applies:
            return self._applied(place)
        return self._collection(place)

    def level(self, place: Place) -> Level:
        """What is read of them."""
        return read_level(self.ground, place.set, self.request.options, predicate=self.request.predicate())

    @property
    def _applies(self) -> bool:
        return self.request.option(o.Apply) is not None

    @property
    def format(self) -> Format:
        """As `$format` says, or who asks."""
        found = next((x for x in self.request.options if isinstance(x, o.Text) and x.name == "$format"), None)
        return format_of(found.value if found else self.accept)

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _service_document(self) -> ODataAnswer:
        check_options(self.request.options, frozenset(("$format",)), "the service document")
        names = [*entity_sets(self.ground.public), *self.ground.segments]
        found = [{"name": name, "kind": "EntitySet", "url": name} for name in names]
        return ODataAnswer(found, f"{self.root}$metadata", format=_json(self.format))

    def _system(self, name: str) -> ODataAnswer:
        if name != "$metadata":
            raise ODataUnsupportedError(f"{name} is not answered here", where="path", hint="name an entity set")
        from segments.odata.answers.csdl import metadata

        check_options(self.request.options, frozenset(("$format",)), "$metadata")
        said = (x.value for x in self.request.options if isinstance(x, o.Text) and x.name == "$format")
        raw, media = metadata(self.ground.public, self.ground.segments, next(said, self.accept or "xml"))
        return ODataAnswer(None, raw=raw, media=media)

    # ── one row, one value ───────────────────────────────────────────────────────────────────────────────────────────

    def _entity(self, place: Place) -> ODataAnswer:
        if place.tail:
            check_options(self.request.options, OF_PROPERTY, "a reference")
        check_options(self.request.options, OF_ENTITY, "a single row")
        level = self.level(place)
        format_ = self.format
        if place.tail == "$ref":
            return self._reference(place, level, _json(format_))
        hidden = hidden_columns(self.ground, level)
        page = read_page(self.ground, level, place.narrowed, hidden=hidden, limit=1)
        if not page.rows:
            return _nothing(place)
        expand(self.ground, level, page.rows, page.hidden)
        return ODataAnswer(
            page.rows[0],
            f"{self.root}$metadata#{place.set.name}{selection(level)}/$entity",
            page.table,
            format=format_,
            columns=tuple(column.name for column in level.columns),
            expanded=expanded_columns(level),
        )

    def _reference(self, place: Place, level: Level, format_: Format) -> ODataAnswer:
        page = read_page(self.ground, level, place.narrowed, hidden=[_key(place)], limit=1)
        if not page.rows:
            return _nothing(place)
        found = {"@odata.id": self.root + reference(place.set, page.hidden[place.set.key][0])}
        return ODataAnswer(found, f"{self.root}$metadata#$ref", format=format_)

    def _property(self, place: Place) -> ODataAnswer:
        check_options(self.request.options, OF_PROPERTY if not place.tail else frozenset(), "a property")
        item = o.Select((o.SelectItem((place.property,)),))
        level = read_level(self.ground, place.set, (item,))
        page = read_page(self.ground, level, place.narrowed, limit=1)
        if not page.rows:
            return _nothing(place)
        [value] = page.rows[0].values()
        if place.tail == "$value":
            return text_answer(value)
        if value is None:
            return ODataAnswer(None, status=204)
        context = f"{self.root}$metadata#{print_path(self.request.path)}"
        return ODataAnswer(value, context, format=_json(self.format))

    # ── sets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _collection(self, place: Place) -> ODataAnswer:
        allowed, what = (OF_REFERENCES, "a set of references") if place.tail else (OF_COLLECTION, "a set")
        check_options(self.request.options, allowed, what)
        level, format_ = self.level(place), self.format
        references = place.tail == "$ref"
        if format_.media == CSV:
            _check_csv(level, references)
        left = self.position.left if self.position else level.top
        limit = self.ground.size if left is None else min(self.ground.size, left)
        hidden = hidden_columns(self.ground, level) if not references else [_key(place)]
        page = read_page(
            self.ground, level, place.narrowed, hidden=hidden, limit=limit, offset=level.skip, position=self.position
        )
        before = self.position.offset if self.position else level.skip
        count = self._counted(lambda: count_rows(self.ground, level, place.narrowed)) if level.count else None
        if references:
            page.rows = [{"@odata.id": self.root + reference(place.set, k)} for k in page.hidden[place.set.key]]
        else:
            expand(self.ground, level, page.rows, page.hidden)
        return ODataAnswer(
            linked(page.rows, self.root, level),
            f"{self.root}$metadata#Collection($ref)" if references else self.context(place, level),
            page.table,
            count=count,
            next_link=self._next(page.more, page.after, before, limit, left, count),
            format=format_,
            columns=tuple(column.name for column in level.columns),
            expanded=expanded_columns(level),
        )

    def context(self, place: Place, level: Level) -> str:
        """What the answer says that it is."""
        return f"{self.root}$metadata#{place.set.name}{selection(level)}"

    def _applied(self, place: Place) -> ODataAnswer:
        if place.tail:
            raise QueryError(f"what $apply leaves has no {place.tail}", where="path", hint="cut it off")
        options, format_ = self.request.options, self.format
        query = applied(self.ground, place, options)
        top, skip = self.request.option(o.Top), self.request.option(o.Skip)
        left = self.position.left if self.position else top.count if top else None
        before = self.position.offset if self.position else skip.count if skip else 0
        limit = self.ground.size if left is None else min(self.ground.size, left)
        page = read_applied(self.ground, query, options, limit=limit, offset=before)
        counted = self.request.option(o.CountOption)
        count = self._counted(lambda: count_applied(self.ground, query)) if counted and counted.wanted else None
        return ODataAnswer(
            page.rows,
            f"{self.root}$metadata#{place.set.name}({','.join(page.columns)})",
            page.table,
            count=count,
            next_link=self._next(page.more, None, before, limit, left, count),
            format=format_,
            columns=page.columns,
        )

    def _counted(self, count: Callable[[], int]) -> int:
        return self.position.count if self.position and self.position.count is not None else count()

    def _next(
        self,
        more: bool,
        after: tuple[str | None, ...] | None,
        before: int,
        limit: int,
        left: int | None,
        count: int | None,
    ) -> str | None:
        """The next link. `after`: the last row's sort values; without them, rows are counted from `before` on."""
        remaining = None if left is None else left - limit
        if not more or remaining == 0:
            return None
        position = Position(
            generation=self.ground.generation,
            clock=self.ground.clock.isoformat(),
            question=question_of(self.request),
            size=self.ground.size,
            after=after,
            offset=0 if after is not None else before + limit,
            left=remaining,
            count=count,
        )
        return self.root + next_link(self.request, position)


def _nothing(place: Place) -> ODataAnswer:
    if place.must_be:
        raise NotFoundError(f"there is no {place.words}", where="path", hint="check the key")
    return ODataAnswer(None, status=204)


def _key(place: Place) -> str:
    if not place.set.key:
        raise QueryError(f"rows of {place.set.table} have no key to refer to", where="path", hint="leave /$ref out")
    return place.set.key


def _json(format_: Format) -> Format:
    if format_.media == CSV:
        raise refuse_csv("what is no row")
    return format_


def _check_csv(level: Level, references: bool) -> None:
    if references:
        raise refuse_csv("references")
    many = next((e.name for e in level.expansions if e.many or e.tail), None)
    if many:
        raise refuse_csv(f"the rows of {many} inside a row")
    deep = next((e.name for e in level.expansions if e.level.expansions), None)
    if deep:
        raise refuse_csv(f"what is expanded inside {deep}")


__all__ = ["Answering", "ODataAnswer", "Prepare", "SegmentSets", "answer", "answering", "generation_asked", "parsed"]
