"""Which images are meant: by a filter of the gallery, or by a selection.

A filter is a value that the URL of a page spells out. Everything that shows, counts, downloads or exports
images takes a filter or a selection.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta, tzinfo
from enum import StrEnum
from functools import reduce
from operator import and_
from typing import Any

from peewee import JOIN, SQL, Column, Expression, Field, ModelSelect, Node, NodeList, Select, Tuple, fn

from webapp.database.models import CollectionImage, Download, Image
from webapp.database.states import DownloadState
from webapp.store.gallery import names, query, scope, search, terms
from webapp.store.gallery.query import Flag, Query, Term, parse
from webapp.store.gallery.scope import WHOLE_SHELF, Scope, SharedCollections, SharedShelf
from webapp.store.gallery.search import ROWID, are_few, listed
from webapp.store.runs.downloads import ACTIVE
from webapp.times import day_bounds

# SQLite allows 500 SELECTs in one.
MAX_PARTS = 100


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    DOWNLOADED = "downloaded"
    FAVOURITED = "favourited"


class FileState(StrEnum):
    """What is known of an image's file. PENDING images can be downloaded, ACTIVE ones are queued or running.
    HIDDEN images match no other state."""

    PENDING = "pending"
    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"
    DAMAGED = "damaged"
    CHANGED = "changed"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Filter:
    """Images that match every value that is given.

    `text` is a query (`webapp.store.gallery.query`): its words occur in the prompt or the title, or its only
    word begins the name, media key or workflow id. Without `searches_titles` titles do not count; it is
    always true where there is no `text`.
    `workflow_id` is shared by the versions of one picture. `since` and `until` are days as
    `YYYY-MM-DD` in the time zone `zone`, both included. `scope` is what whoever asks may see.
    """

    profile_id: str | None = None
    text: str = ""
    searches_titles: bool = True
    state: FileState | None = None
    aspect_ratio: str | None = None
    kind: str | None = None
    model_name: str | None = None
    project_id: str | None = None
    workflow_id: str | None = None
    is_favourite: bool = False
    collection_id: str | None = None
    scope: Scope = WHOLE_SHELF
    since: str | None = None
    until: str | None = None
    zone: tzinfo | None = field(default=UTC, compare=False)
    sort: Sort = Sort.NEWEST

    @property
    def since_at(self) -> str | None:
        """The first microsecond of the day `since`."""
        return day_bounds(self.since, self.zone)[0] if self.since else None

    @property
    def until_at(self) -> str | None:
        """The last microsecond of the day `until`."""
        return day_bounds(self.until, self.zone)[1] if self.until else None

    @property
    def query(self) -> Query:
        return parse(self.text).query

    @property
    def shows_hidden(self) -> bool:
        """Whether hidden images can match."""
        return self.state is FileState.HIDDEN or self.query.asks_for_hidden

    @property
    def fields(self) -> tuple[Field, Field]:
        """The columns to sort by; the id makes the order unique.

        A collection has the times of its images: however large it is, its index has them in order.
        """
        if self.ordered_collection:
            return CollectionImage.image_at, CollectionImage.image_id
        return _SORT_COLUMNS.get(self.sort, Image.created_at), Image.id

    @property
    def ordered_collection(self) -> str | None:
        """The collection whose rows are read in order, each with its image: the chosen one, or the only one
        of the scope. None if there is none, or another order, or another condition that few images meet."""
        ids = self.scope.collection_ids if isinstance(self.scope, SharedCollections) else ()
        only = self.collection_id or (ids[0] if len(ids) == 1 else None)
        return None if only is None or self.sort in _SORT_COLUMNS or has_few(self) else only

    def ordered(self, images: Select, *, backwards: bool = False) -> Select:
        ascends = (self.sort is Sort.OLDEST) != backwards
        return images.order_by(*(each if ascends else each.desc() for each in self.fields))

    def beyond(self, image: Image, *, backwards: bool = False) -> Expression:
        """The condition that an image comes after `image` in this order, or before it if `backwards`."""
        ascends = (self.sort is Sort.OLDEST) != backwards
        here = Tuple(getattr(image, _SORT_COLUMNS.get(self.sort, Image.created_at).name), image.id)
        return Tuple(*self.fields) > here if ascends else Tuple(*self.fields) < here


@dataclass(frozen=True, slots=True)
class Selection:
    """Images chosen one by one (`ids`), or all that match `everything` except `except_ids`."""

    ids: tuple[str, ...] = ()
    everything: Filter | None = None
    except_ids: frozenset[str] = field(default_factory=frozenset)


def matching(filter_: Filter, *, as_whole: bool = False) -> Select:
    """The images that a filter means, in no order, each with its latest download as `latest_download`.

    `as_whole`: the caller reads all of them, and not the first ones by time. That decides how text is
    searched.
    """
    images = with_download()
    if filter_.ordered_collection:
        # Both columns, so that an index has what most filters ask of the image.
        on = (CollectionImage.image_id == Image.id) & (CollectionImage.image_at == Image.created_at)
        images = images.join_from(Image, CollectionImage, on=on)
    return images.where(*_conditions(filter_, as_whole))


def parts(filter_: Filter) -> list[Filter]:
    """Filters that together mean the same images: one of each collection of the scope, which SQLite
    reads in order and merges; or only the filter itself."""
    ids = filter_.scope.collection_ids if isinstance(filter_.scope, SharedCollections) else ()
    if len(ids) < 2 or filter_.collection_id or not scope.has_many(ids):
        return [filter_]
    of_one = [replace(filter_, scope=SharedCollections((each,))) for each in ids[:MAX_PARTS]]
    return of_one if len(of_one) == len(ids) and of_one[0].ordered_collection else [filter_]


def selected(selection: Selection) -> Select:
    """The images that a selection means, in no order, each with its latest download as `latest_download`."""
    if selection.everything is None:
        return with_download().where(Image.id.in_(listed(selection.ids)))
    return matching(selection.everything, as_whole=True).where(Image.id.not_in(listed(selection.except_ids)))


def with_download() -> "ModelSelect[Image]":
    """All images, each with its latest download as `latest_download`, None when there is none."""
    return Image.select(Image, Download).join(Download, JOIN.LEFT_OUTER, attr="latest_download")


def resolved(filter_: Filter) -> Filter:
    """The same filter, with the fields of its text in its own fields where these are free.

    Counts and indexes are chosen by the filter's own fields. What is left of the text says what these cannot.
    """
    if not filter_.text:
        return filter_
    left = []
    for clause in filter_.query.clauses:
        narrowed = _narrowed(filter_, clause[0]) if len(clause) == 1 else None
        if narrowed is None:
            left.append(clause)
        else:
            filter_ = narrowed
    return replace(filter_, text=str(Query(tuple(left))), searches_titles=filter_.searches_titles or not left)


def _narrowed(filter_: Filter, term: Term) -> Filter | None:
    """A filter with the value of a term; None when it has no field for it, or that has another value."""
    if term.is_negated:
        return None
    if term.field is query.Field.BEFORE:
        last = str(query.first_day(term.text) - timedelta(days=1))
        return replace(filter_, until=min(filter_.until or last, last))
    if term.field is query.Field.AFTER:
        first = str(query.first_day(term.text))
        return replace(filter_, since=max(filter_.since or first, first))
    name, values = _values_of(term)
    if len(values) != 1 or getattr(filter_, name) not in (None, False, *values):
        return None
    changes: dict[str, Any] = {name: values[0]}
    return replace(filter_, **changes)


def _values_of(term: Term) -> tuple[str, tuple[str | bool, ...]]:
    """The field of a filter that a term is about, and its values; no values when there is no such field."""
    match term.field:
        case query.Field.MODEL:
            return "model_name", names.find_models(term.text)
        case query.Field.PROJECT:
            return "project_id", names.find_projects(term.text)
        case query.Field.IS if term.text == Flag.FAVOURITE:
            return "is_favourite", (True,)
        case query.Field.IS if term.text not in _KINDS:
            return "state", (STATES_OF_FLAGS[Flag(term.text)],)
        case query.Field.KIND | query.Field.IS:
            return "kind", (term.text,)
        case _:
            return "", ()


def _conditions(filter_: Filter, as_whole: bool) -> list[Node]:
    conditions: list[Node] = [*_membership(filter_)]
    at = CollectionImage.image_at if filter_.ordered_collection else Image.created_at
    filter_ = resolved(filter_)
    conditions += [limit.condition for limit in _limits(filter_)]
    reading = terms.Reading(filter_.searches_titles, as_whole, _flagged, filter_.zone)
    conditions += terms.conditions(filter_.query, reading)
    if not filter_.shows_hidden:
        conditions.append(Image.hidden_at.is_null())
    if since_at := filter_.since_at:
        conditions.append(at >= since_at)
    if until_at := filter_.until_at:
        conditions.append(at <= until_at)
    if column := _SORT_COLUMNS.get(filter_.sort):
        conditions.append(column.is_null(False))
    if filter_.state:
        conditions += _STATE_CONDITIONS.get(filter_.state, [])
    return conditions


def _membership(filter_: Filter) -> list[Expression]:
    """The conditions of the collection and of the scope, which may be one and the same."""
    within, in_order = filter_.scope, filter_.ordered_collection
    chosen = in_order or filter_.collection_id
    if isinstance(within, SharedCollections) and chosen in within.collection_ids:
        within = SharedShelf()
    conditions = scope.conditions(within)
    if in_order:
        conditions.append(CollectionImage.collection == in_order)
    elif chosen:
        conditions.append(scope.in_collections((chosen,)))
    return conditions


@dataclass(frozen=True, slots=True)
class _Limit:
    """A condition that may leave few images: `rows` are theirs by `key`. With many, `check` is for an image
    that is read in order: SQLite must not find and sort them."""

    rows: Select
    key: Column | Field
    check: Node

    @property
    def condition(self) -> Node:
        return self.key.in_(self.rows) if are_few(self.rows) else self.check


def _limits(filter_: Filter) -> list[_Limit]:
    """The limits of a resolved filter, besides those of its text and its collections."""
    values: list[tuple[Field, str | None]] = [
        (Image.profile_id, filter_.profile_id),
        (Image.aspect_ratio, filter_.aspect_ratio),
        (Image.kind, filter_.kind),
        (Image.model_name, filter_.model_name),
        (Image.project_id, filter_.project_id),
        (Image.workflow_id, filter_.workflow_id),
    ]
    given = [(column, value) for column, value in values if value]
    is_plain = filter_.sort not in _SORT_COLUMNS and not filter_.text and not filter_.collection_id
    has_mark = filter_.is_favourite or filter_.state in _STATE_LIMITS
    is_alone = (
        len(given) == 1 and is_plain and not has_mark and not isinstance(filter_.scope, SharedCollections)
    )
    found = [_having(column, value, is_alone) for column, value in given]
    if filter_.is_favourite:
        found.append(_marked(Image.favourite_at))
    if limit := _STATE_LIMITS.get(filter_.state):
        found.append(limit)
    return found


def has_few(filter_: Filter) -> bool:
    """Whether few images meet one of the conditions besides the collections."""
    filter_ = resolved(filter_)
    is_selective = search.is_selective(filter_.query, in_titles=filter_.searches_titles)
    return is_selective or any(are_few(limit.rows) for limit in _limits(filter_))


def _having(column: Field, value: str, is_alone: bool) -> _Limit:
    """Images with a value. If other conditions may be met by fewer, all are read along the index of the
    time, which has the usual columns."""
    is_read = is_alone or column is Image.project_id
    read = column if is_read else NodeList((SQL("+"), column), glue="")
    return _Limit(Image.select(ROWID).where(column == value), ROWID, read == value)


def _marked(mark: Field) -> _Limit:
    """Marked images, usually few."""
    return _Limit(Image.select(ROWID).where(mark.is_null(False)), ROWID, mark.is_null(False))


def _downloading(*states: DownloadState) -> _Limit:
    """Images whose latest download is in one of some states."""
    rows = Download.select(Download.image).where(Download.state.in_(states))
    return _Limit(rows, Image.id, fn.EXISTS(rows.where(Download.image == Image.id)))


def _flagged(flag: Flag) -> Node:
    """The condition of `is:` with a flag."""
    if flag is Flag.FAVOURITE:
        return _marked(Image.favourite_at).condition
    if flag in _KINDS:
        return Image.kind == flag
    state = STATES_OF_FLAGS[flag]
    limits = [_STATE_LIMITS[state].condition] if state in _STATE_LIMITS else []
    return reduce(and_, [*limits, *_STATE_CONDITIONS.get(state, [])])


_NO_FILE = Image.local_path.is_null()
_STATE_CONDITIONS: dict[FileState, list[Expression]] = {
    FileState.PENDING: [
        _NO_FILE,
        Image.gone_upstream_at.is_null(),
        Download.state.is_null() | (Download.state == DownloadState.DONE),
    ],
    FileState.ACTIVE: [_NO_FILE],
    FileState.DONE: [Image.local_path.is_null(False)],
    FileState.FAILED: [_NO_FILE, Image.gone_upstream_at.is_null()],
}
_STATE_LIMITS: dict[FileState | None, _Limit] = {
    FileState.ACTIVE: _downloading(*ACTIVE),
    FileState.FAILED: _downloading(DownloadState.FAILED),
    FileState.GONE: _marked(Image.gone_upstream_at),
    FileState.DAMAGED: _marked(Image.damaged_at),
    FileState.CHANGED: _marked(Image.changed_sha256),
    FileState.HIDDEN: _marked(Image.hidden_at),
}
# The columns of sorts other than by the time of the image: these show the images that have such a time.
_SORT_COLUMNS: dict[Sort, Field] = {
    Sort.DOWNLOADED: Image.downloaded_at,
    Sort.FAVOURITED: Image.favourite_at,
}
_KINDS = frozenset((Flag.GENERATED, Flag.UPLOADED))
# The file state that each flag of a query stands for, except for the kinds and favourites.
STATES_OF_FLAGS: dict[Flag, FileState] = {
    Flag.DOWNLOADED: FileState.DONE,
    Flag.PENDING: FileState.PENDING,
    Flag.ACTIVE: FileState.ACTIVE,
    Flag.FAILED: FileState.FAILED,
    Flag.GONE: FileState.GONE,
    Flag.DAMAGED: FileState.DAMAGED,
    Flag.CHANGED: FileState.CHANGED,
    Flag.HIDDEN: FileState.HIDDEN,
}
