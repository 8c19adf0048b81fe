"""Which images are meant: by a filter of the gallery, or by a selection of it with exceptions.

A filter is one value that the address of a page spells out; everything that shows, counts, downloads
or exports images asks with it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from peewee import JOIN, SQL, Expression, Field, Select, Tuple

from webapp.database.models import Download, Image
from webapp.database.states import DownloadState
from webapp.store.gallery import search
from webapp.store.runs.downloads import ACTIVE


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    DOWNLOADED = "downloaded"


class FileState(StrEnum):
    """What is known of an image's file. HIDDEN ones show nowhere else."""

    PENDING = "pending"
    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"
    DAMAGED = "damaged"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Filter:
    """Images of one profile (None: of all) that match in every respect that is given.

    Every word of `text` has to occur in the prompt or the title, or the whole of it to begin the name,
    media key or workflow id. Versions of one picture share their workflow id.
    `since` and `until` are days as `YYYY-MM-DD`, both included.
    """

    profile_id: str | None = None
    text: str = ""
    state: FileState | None = None
    aspect_ratio: str | None = None
    kind: str | None = None
    model_name: str | None = None
    project_id: str | None = None
    workflow_id: str | None = None
    since: str | None = None
    until: str | None = None
    sort: Sort = Sort.NEWEST

    @property
    def fields(self) -> tuple[Field, Field]:
        """What the sorting compares; the id makes it unique."""
        return (Image.downloaded_at if self.sort is Sort.DOWNLOADED else Image.created_at), Image.id

    def ordered(self, images: Select, *, backwards: bool = False) -> Select:
        ascends = (self.sort is Sort.OLDEST) != backwards
        return images.order_by(*(each if ascends else each.desc() for each in self.fields))

    def beyond(self, image: Image, *, backwards: bool = False) -> Expression:
        """Images that come after `image` in this sorting, or before it."""
        ascends = (self.sort is Sort.OLDEST) != backwards
        here = Tuple(*(getattr(image, each.name) for each in self.fields))
        return Tuple(*self.fields) > here if ascends else Tuple(*self.fields) < here


@dataclass(frozen=True, slots=True)
class Selection:
    """Images chosen one by one (`ids`), or all that match `everything` but `except_ids`."""

    ids: tuple[str, ...] = ()
    everything: Filter | None = None
    except_ids: frozenset[str] = field(default_factory=frozenset)


def matching(filter_: Filter, *, as_whole: bool = False) -> Select:
    """The images that a filter means, each with its latest wish as `wish`, in no order.

    `as_whole`: all of them are wanted, not the first by time.
    """
    return with_download().where(*_conditions(filter_, as_whole))


def selected(selection: Selection) -> Select:
    """The images that a selection means, each with its latest wish as `wish`, in no order."""
    if selection.everything is None:
        return with_download().where(Image.id.in_(listed(selection.ids)))
    return matching(selection.everything, as_whole=True).where(Image.id.not_in(listed(selection.except_ids)))


def listed(ids: Iterable[str | int]) -> SQL:
    """Any number of ids as one variable: a statement may have some thousands of them only."""
    return SQL("(SELECT value FROM json_each(?))", [json.dumps(list(ids))])


def with_download() -> Select:
    return Image.select(Image, Download).join(Download, JOIN.LEFT_OUTER, attr="latest_download")


def _conditions(filter_: Filter, as_whole: bool) -> list[Expression]:
    plain = {
        Image.profile_id: filter_.profile_id,
        Image.aspect_ratio: filter_.aspect_ratio,
        Image.kind: filter_.kind,
        Image.model_name: filter_.model_name,
        Image.project_id: filter_.project_id,
        Image.workflow_id: filter_.workflow_id,
    }
    conditions = [column == value for column, value in plain.items() if value]
    if filter_.text.strip():
        conditions.append(_mentioning(filter_.text.strip(), as_whole))
    conditions.append(Image.hidden_at.is_null(filter_.state is not FileState.HIDDEN))
    if filter_.since:
        conditions.append(Image.created_at >= filter_.since)
    if filter_.until:
        conditions.append(Image.created_at < f"{filter_.until}~")  # behind every moment of that day
    if filter_.sort is Sort.DOWNLOADED:
        conditions.append(Image.downloaded_at.is_null(False))
    return conditions + _STATE_CONDITIONS.get(filter_.state, [])


def _mentioning(text: str, as_whole: bool) -> Expression:
    candidates = search.find_candidates(text)
    if candidates is not None:
        return search.ROWID.in_(listed(candidates))
    has_words = (as_whole and search.has_words(text)) or search.reads(text)
    return has_words | search.begins_name(text)


def _with_download(*states: DownloadState) -> Expression:
    """Asked so, and not of the joined wish, SQLite begins with the few wishes in such a state."""
    return Image.id.in_(Download.select(Download.image).where(Download.state.in_(states)))


def _marked(mark: Field) -> Expression:
    """Few images bear a mark, often none, and of an index without entries SQLite knows no size."""
    return Image.id.in_(Image.select(Image.id).where(mark.is_null(False)))


_NO_FILE = Image.local_path.is_null()
_STATE_CONDITIONS = {
    FileState.PENDING: [
        _NO_FILE,
        Image.gone_upstream_at.is_null(),
        Download.state.is_null() | (Download.state == DownloadState.DONE),
    ],
    FileState.ACTIVE: [_NO_FILE, _with_download(*ACTIVE)],
    FileState.DONE: [Image.local_path.is_null(False)],
    FileState.FAILED: [_NO_FILE, _with_download(DownloadState.FAILED), Image.gone_upstream_at.is_null()],
    FileState.GONE: [_marked(Image.gone_upstream_at)],
    FileState.DAMAGED: [_marked(Image.damaged_at)],
    FileState.HIDDEN: [_marked(Image.hidden_at)],
}
