"""What a selection holds, and the marks that are set on all of it at once."""

import hashlib
from collections import defaultdict
from dataclasses import astuple, dataclass

from peewee import Case, Select, fn

from webapp.database.models import Download, Image
from webapp.database.states import DownloadState
from webapp.store import transaction
from webapp.store.gallery.counts import Totals, count_all, count_images, list_tallied
from webapp.store.gallery.filters import Filter, Selection, listed, matching, selected, with_download
from webapp.store.gallery.search import ROWID
from webapp.store.runs.downloads import list_outcomes
from webapp.times import now


@dataclass(frozen=True, slots=True)
class Sum:
    """What a selection comes to; bytes are known of images that have a file."""

    image_count: int
    file_count: int
    size_bytes: int


def summary_of(selection: Selection) -> Sum:
    if selection.everything is None:
        return _sum(count_images(selected(selection)))
    everything = _sum(count_all(selection.everything))
    if not selection.except_ids:
        return everything
    excepted = Image.id.in_(listed(selection.except_ids))
    left_out = _sum(count_images(matching(selection.everything, as_whole=True).where(excepted)))
    return Sum(*(whole - part for whole, part in zip(astuple(everything), astuple(left_out), strict=True)))


def _sum(totals: Totals) -> Sum:
    return Sum(totals.total, totals.downloaded, totals.size_bytes)


def fingerprint_of(selection: Selection) -> str:
    """A text that is the same only while the selection holds the same images and these the same files.

    Sums instead of a digest of all rows: these are a million at most, and nobody forges them. Where they are
    tallied, what is hidden of them tells the rest.
    """
    tallied = selection.everything and list_tallied(selection.everything)
    if tallied is not None:
        hidden = _sums_of(with_download().where(Image.hidden_at.is_null(False)))
        return hashlib.sha256(repr((tallied, hidden)).encode()).hexdigest()
    return " ".join(map(str, _sums_of(selected(selection))))


def _sums_of(images: Select) -> tuple:
    file = Image.local_path.is_null(False)
    sums = (ROWID, ROWID * (ROWID % 65_521), Case(None, [(file, ROWID)], 0), Image.size_bytes)
    return images.select(fn.COUNT(Image.id), *(fn.TOTAL(each) for each in sums)).tuples().get()


def list_ids(selection: Selection) -> list[str]:
    """The ids of a selection in its filter's order, newest first when they were chosen one by one."""
    order = selection.everything or Filter()
    return [image_id for (image_id,) in order.ordered(selected(selection)).select(Image.id).tuples()]


def list_ids_by_profile(selection: Selection, *, failed_only: bool = False) -> dict[str, list[str]]:
    """The ids of a selection, or of those whose download failed, by profile."""
    order = selection.everything or Filter()
    rows = order.ordered(selected(selection)).select(Image.profile_id, Image.id)
    if failed_only:
        rows = rows.where(Download.state == DownloadState.FAILED, Image.local_path.is_null())
    ids = defaultdict(list)
    for profile_id, image_id in rows.tuples():
        ids[profile_id].append(image_id)
    return ids


def list_in_order(image_ids: list[str]) -> list[Image]:
    """A piece of a selection with its wishes; what was removed meanwhile is left out."""
    by_id = {image.id: image for image in list_outcomes(image_ids)}
    return [by_id[image_id] for image_id in image_ids if image_id in by_id]


def hide(selection: Selection) -> str:
    """Hide the images of a selection. The moment that is returned names this very act, to undo it."""
    moment = now()
    _mark(selection, Image.hidden_at.is_null(), hidden_at=moment)
    return moment


def show_again(selection: Selection) -> None:
    _mark(selection, Image.hidden_at.is_null(False), hidden_at=None)


def undo_hiding(moment: str) -> None:
    """Show again exactly what was hidden at that moment."""
    Image.update(hidden_at=None).where(Image.hidden_at == moment).execute()


def count_hidden_at(moment: str) -> int:
    return Image.select().where(Image.hidden_at == moment).count()


def _mark(selection: Selection, condition, **fields) -> None:
    ids = selected(selection).select(Image.id)
    with transaction():
        Image.update(**fields).where(Image.id.in_(ids), condition).execute()
