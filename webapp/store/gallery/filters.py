"""Which images are meant: by a filter of the gallery, or by a selection.

A filter is a value that the URL of a page spells out. Everything that shows, counts, downloads or exports
images takes a filter or a selection.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum

from peewee import JOIN, SQL, Expression, Field, ModelSelect, Select, Tuple

from webapp.database.models import Download, Image
from webapp.database.states import DownloadState
from webapp.store.gallery import search
from webapp.store.runs.downloads import ACTIVE
from webapp.times import day_bounds


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    DOWNLOADED = "downloaded"


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

    `text`: every word occurs in the prompt or the title, or the whole text begins the name, media key or
    workflow id. Without `searches_titles` titles do not count; it is always true where there is no `text`.
    `workflow_id` is shared by the versions of one picture. `since` and `until` are days as
    `YYYY-MM-DD` in the time zone `zone`, both included.
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
    since: str | None = None
    until: str | None = None
    zone: tzinfo | None = UTC
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
    def fields(self) -> tuple[Field, Field]:
        """The columns to sort by; the id makes the order unique."""
        return (Image.downloaded_at if self.sort is Sort.DOWNLOADED else Image.created_at), Image.id

    def ordered(self, images: Select, *, backwards: bool = False) -> Select:
        ascends = (self.sort is Sort.OLDEST) != backwards
        return images.order_by(*(each if ascends else each.desc() for each in self.fields))

    def beyond(self, image: Image, *, backwards: bool = False) -> Expression:
        """The condition that an image comes after `image` in this order, or before it if `backwards`."""
        ascends = (self.sort is Sort.OLDEST) != backwards
        here = Tuple(*(getattr(image, each.name) for each in self.fields))
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
    return with_download().where(*_conditions(filter_, as_whole))


def selected(selection: Selection) -> Select:
    """The images that a selection means, in no order, each with its latest download as `latest_download`."""
    if selection.everything is None:
        return with_download().where(Image.id.in_(listed(selection.ids)))
    return matching(selection.everything, as_whole=True).where(Image.id.not_in(listed(selection.except_ids)))


def listed(ids: Iterable[str | int]) -> SQL:
    """Any number of ids as one variable, because the number of variables in a statement is limited."""
    return SQL("(SELECT value FROM json_each(?))", [json.dumps(list(ids))])


def with_download() -> "ModelSelect[Image]":
    """All images, each with its latest download as `latest_download`, None when there is none."""
    return Image.select(Image, Download).join(Download, JOIN.LEFT_OUTER, attr="latest_download")


def _conditions(filter_: Filter, as_whole: bool) -> list[Expression]:
    values: list[tuple[Field, str | None]] = [
        (Image.profile_id, filter_.profile_id),
        (Image.aspect_ratio, filter_.aspect_ratio),
        (Image.kind, filter_.kind),
        (Image.model_name, filter_.model_name),
        (Image.project_id, filter_.project_id),
        (Image.workflow_id, filter_.workflow_id),
    ]
    conditions = [column == value for column, value in values if value]
    if filter_.text.strip():
        conditions.append(_mentions(filter_.text.strip(), filter_.searches_titles, as_whole))
    conditions.append(Image.hidden_at.is_null(filter_.state is not FileState.HIDDEN))
    if since_at := filter_.since_at:
        conditions.append(Image.created_at >= since_at)
    if until_at := filter_.until_at:
        conditions.append(Image.created_at <= until_at)
    if filter_.sort is Sort.DOWNLOADED:
        conditions.append(Image.downloaded_at.is_null(False))
    if filter_.state:
        conditions += _STATE_CONDITIONS[filter_.state]
    return conditions


def _mentions(text: str, in_titles: bool, as_whole: bool) -> Expression:
    candidates = search.find_candidates(text, in_titles=in_titles)
    if candidates is not None:
        return search.ROWID.in_(listed(candidates))
    by_index = search.has_words(text, in_titles=in_titles) if as_whole else None
    has_words = search.contains_words(text, in_titles=in_titles) if by_index is None else by_index
    return has_words | search.begins_name(text)


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
