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

from peewee import JOIN, Expression, Field, ModelSelect, Node, Select, Tuple

from webapp.database.models import CollectionImage, Download, Image
from webapp.database.states import DownloadState
from webapp.store.gallery import names, query, scope, terms
from webapp.store.gallery.query import Flag, Query, Term, parse
from webapp.store.gallery.scope import WHOLE_SHELF, Scope
from webapp.store.gallery.search import listed
from webapp.store.runs.downloads import ACTIVE
from webapp.times import day_bounds


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
        if self.is_read_by_collection:
            return CollectionImage.image_at, CollectionImage.image_id
        return _SORT_COLUMNS.get(self.sort, Image.created_at), Image.id

    @property
    def is_read_by_collection(self) -> bool:
        """Whether the rows of a collection are read in order, each with its image. A search has its own
        order."""
        return bool(self.collection_id) and not self.text and self.sort not in _SORT_COLUMNS

    def ordered(self, images: Select, *, backwards: bool = False) -> Select:
        ascends = (self.sort is Sort.OLDEST) != backwards
        return images.order_by(*(each if ascends else each.desc() for each in self.fields))

    def beyond(self, image: Image, *, backwards: bool = False) -> Expression:
        """The condition that an image comes after `image` in this order, or before it if `backwards`."""
        ascends = (self.sort is Sort.OLDEST) != backwards
        at = image.created_at if self.is_read_by_collection else getattr(image, self.fields[0].name)
        here = Tuple(at, image.id)
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
    if filter_.is_read_by_collection:
        images = images.join_from(Image, CollectionImage, on=CollectionImage.image_id == Image.id)
    return images.where(*_conditions(filter_, as_whole))


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
    membership = _membership(filter_)
    filter_ = resolved(filter_)
    values: list[tuple[Field, str | None]] = [
        (Image.profile_id, filter_.profile_id),
        (Image.aspect_ratio, filter_.aspect_ratio),
        (Image.kind, filter_.kind),
        (Image.model_name, filter_.model_name),
        (Image.project_id, filter_.project_id),
        (Image.workflow_id, filter_.workflow_id),
    ]
    conditions: list[Node] = [column == value for column, value in values if value]
    reading = terms.Reading(filter_.searches_titles, as_whole, _flagged, filter_.zone)
    conditions += terms.conditions(filter_.query, reading)
    if not filter_.shows_hidden:
        conditions.append(Image.hidden_at.is_null())
    if since_at := filter_.since_at:
        conditions.append(Image.created_at >= since_at)
    if until_at := filter_.until_at:
        conditions.append(Image.created_at <= until_at)
    if column := _SORT_COLUMNS.get(filter_.sort):
        conditions.append(column.is_null(False))
    if filter_.is_favourite:
        conditions.append(Image.favourite_at.is_null(False))
    conditions += membership
    if filter_.state:
        conditions += _STATE_CONDITIONS[filter_.state]
    return conditions


def _membership(filter_: Filter) -> list[Expression]:
    """The conditions of the collection and of the scope, which may be one and the same."""
    conditions = scope.conditions(filter_.scope)
    if filter_.is_read_by_collection:
        conditions.append(CollectionImage.collection == filter_.collection_id)
    elif filter_.collection_id:
        conditions.append(scope.in_collections((filter_.collection_id,)))
    return conditions


def _flagged(flag: Flag) -> Node:
    """The condition of `is:` with a flag."""
    if flag is Flag.FAVOURITE:
        return _is_marked(Image.favourite_at)
    if flag in _KINDS:
        return Image.kind == flag
    return reduce(and_, _STATE_CONDITIONS[STATES_OF_FLAGS[flag]])


def _has_download(*states: DownloadState) -> Expression:
    """A subquery instead of a condition on the joined download: SQLite then begins with the few downloads in
    such a state."""
    return Image.id.in_(Download.select(Download.image).where(Download.state.in_(states)))


def _is_marked(mark: Field) -> Expression:
    """A subquery, so that SQLite begins with the few marked images. It has no statistics of an empty index,
    and would otherwise prefer another one."""
    return Image.id.in_(Image.select(Image.id).where(mark.is_null(False)))


_NO_FILE = Image.local_path.is_null()
_STATE_CONDITIONS: dict[FileState, list[Expression]] = {
    FileState.PENDING: [
        _NO_FILE,
        Image.gone_upstream_at.is_null(),
        Download.state.is_null() | (Download.state == DownloadState.DONE),
    ],
    FileState.ACTIVE: [_NO_FILE, _has_download(*ACTIVE)],
    FileState.DONE: [Image.local_path.is_null(False)],
    FileState.FAILED: [_NO_FILE, _has_download(DownloadState.FAILED), Image.gone_upstream_at.is_null()],
    FileState.GONE: [_is_marked(Image.gone_upstream_at)],
    FileState.DAMAGED: [_is_marked(Image.damaged_at)],
    FileState.CHANGED: [_is_marked(Image.changed_sha256)],
    FileState.HIDDEN: [_is_marked(Image.hidden_at)],
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
