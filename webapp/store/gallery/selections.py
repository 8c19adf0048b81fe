"""What a selection contains, and hiding and showing all of it at once."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from peewee import Case, Expression, Select, fn

from webapp.database.models import Download, Image
from webapp.database.states import DownloadState
from webapp.store import transaction
from webapp.store.gallery.counts import Totals, count_all, count_images, list_tallied
from webapp.store.gallery.filters import Filter, Selection, matching, selected, with_download
from webapp.store.gallery.search import ROWID, listed
from webapp.store.runs.downloads import list_outcomes
from webapp.times import now


@dataclass(frozen=True, slots=True)
class SelectionSummary:
    """How many images a selection contains, how many of them have a file, and the bytes of these files."""

    image_count: int
    file_count: int
    size_bytes: int

    def __sub__(self, other: "SelectionSummary") -> "SelectionSummary":
        return SelectionSummary(
            self.image_count - other.image_count,
            self.file_count - other.file_count,
            self.size_bytes - other.size_bytes,
        )


def summary_of(selection: Selection) -> SelectionSummary:
    if selection.everything is None:
        return _summary(count_images(selected(selection)))
    everything = _summary(count_all(selection.everything))
    if not selection.except_ids:
        return everything
    is_excepted = Image.id.in_(listed(selection.except_ids))
    # Subtracted, because the count of everything may come from the tally and these are few.
    excepted = count_images(matching(selection.everything, as_whole=True).where(is_excepted))
    return everything - _summary(excepted)


def _summary(totals: Totals) -> SelectionSummary:
    return SelectionSummary(totals.total, totals.downloaded, totals.size_bytes)


def fingerprint_of(selection: Selection) -> str:
    """A text that changes when the selection contains other images, or these have other files.

    It consists of sums over the rows instead of a digest of all ids: it need not resist forgery, and a
    selection may have a million images. For a filter that is tallied, the rows of the tally and the sums over
    hidden images are enough.
    """
    tallied = list_tallied(selection.everything) if selection.everything else None
    if tallied is not None:
        hidden = _sums_of(with_download().where(Image.hidden_at.is_null(False)))
        return hashlib.sha256(repr((tallied, hidden)).encode()).hexdigest()
    return " ".join(map(str, _sums_of(selected(selection))))


def _sums_of(images: Select) -> tuple[float, ...]:
    file = Image.local_path.is_null(False)
    sums = (ROWID, ROWID * (ROWID % 65_521), Case(None, [(file, ROWID)], 0), Image.size_bytes)
    columns = (fn.COUNT(Image.id), *(fn.TOTAL(each) for each in sums))
    return images.select(*columns).scalar(as_tuple=True)


def list_ids(selection: Selection) -> list[str]:
    """The ids of a selection in its filter's order; newest first when they were chosen one by one."""
    order = selection.everything or Filter()
    return list(order.ordered(selected(selection)).select(Image.id).scalars())


def list_first(selection: Selection, limit: int, *, has_file: bool = False) -> list[Image]:
    """The first images of a selection in its order, with their downloads; `has_file`: with a file."""
    order = selection.everything or Filter()
    rows = order.ordered(selected(selection)).select(Image.id)
    if has_file:
        rows = rows.where(Image.local_path.is_null(False))
    return list_in_order(list(rows.limit(limit).scalars()))


def list_ids_by_profile(selection: Selection, *, failed_only: bool = False) -> dict[str, list[str]]:
    """The ids of a selection by profile; `failed_only`: those of images whose download failed."""
    order = selection.everything or Filter()
    rows = order.ordered(selected(selection)).select(Image.profile_id, Image.id)
    if failed_only:
        rows = rows.where(Download.state == DownloadState.FAILED, Image.local_path.is_null())
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for profile_id, image_id in rows.tuples().iterator():
        ids[profile_id].append(image_id)
    return ids


def list_in_order(image_ids: list[str]) -> list[Image]:
    """Images in the order of `image_ids`, with their downloads. Those that were removed are left out."""
    by_id = {image.id: image for image in list_outcomes(image_ids)}
    return [by_id[image_id] for image_id in image_ids if image_id in by_id]


def hide(selection: Selection) -> str:
    """Hide the images of a selection. Returns the time, which identifies this action for `undo_hiding`."""
    moment = now()
    _mark(selection, Image.hidden_at.is_null(), hidden_at=moment)
    return moment


def show_again(selection: Selection) -> None:
    _mark(selection, Image.hidden_at.is_null(False), hidden_at=None)


def undo_hiding(moment: str) -> None:
    """Show again the images that were hidden at this time, as returned by `hide`."""
    Image.update(hidden_at=None).where(Image.hidden_at == moment).execute()


def count_hidden_at(moment: str) -> int:
    return Image.select().where(Image.hidden_at == moment).count()


def _mark(selection: Selection, condition: Expression, **fields: object) -> None:
    ids = selected(selection).select(Image.id)
    with transaction():
        Image.update(**fields).where(Image.id.in_(ids), condition).execute()
