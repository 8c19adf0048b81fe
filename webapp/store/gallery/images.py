"""Pages of the gallery, single images, and what happens to an image's file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from peewee import SQL, Expression

from webapp.database.models import Image, ImageEvent
from webapp.errors import UnknownImage
from webapp.store import ROWS_PER_STATEMENT, chunked, transaction
from webapp.store.gallery import months, scope
from webapp.store.gallery.filters import Filter, Sort, matching, parts, with_download
from webapp.store.gallery.scope import WHOLE_SHELF, Scope
from webapp.store.gallery.selections import list_in_order
from webapp.times import now

UNKNOWN = "There is no such image in Flowshelf."
MAX_VERSIONS = 24
# The columns of an image without a file. Width and height stay, because a new file has the same.
NO_FILE: Mapping[str, None] = dict.fromkeys(
    (
        "local_path",
        "root_id",
        "size_bytes",
        "sha256",
        "downloaded_at",
        "damaged_at",
        "changed_sha256",
        "file_time_at",
        "adopted_at",
    )
)
_FILE_FIELDS = (Image.id, Image.profile_id, *(getattr(Image, name) for name in NO_FILE))


@dataclass(frozen=True, slots=True)
class GalleryPage:
    """One page of the gallery. `older_than` and `newer_than` are the ids from which the next and the previous
    page continue, None when there is none. `edge` is the image from which this page continues. `is_whole`: it
    is the only page."""

    images: list[Image]
    older_than: str | None
    newer_than: str | None
    is_whole: bool
    edge: Image | None = None


def get_image(image_id: str, within: Scope = WHOLE_SHELF) -> Image:
    """An image with its latest download as `latest_download`. Raises UnknownImage, also outside the scope."""
    if image := with_download().where(Image.id == image_id, *scope.conditions(within)).first():
        return image
    raise UnknownImage(UNKNOWN)


def get_file(image_id: str, within: Scope) -> Image:
    """An image with only what says where its file is and what was in it: many files are requested at once.

    Raises UnknownImage, also outside the scope.
    """
    asked = Image.select(*_FILE_FIELDS).where(Image.id == image_id, *scope.conditions(within))
    if image := asked.first():
        return image
    raise UnknownImage(UNKNOWN)


def list_versions(image: Image, within: Scope = WHOLE_SHELF) -> list[Image]:
    """The images that share a card in Flow with an image, itself included, oldest first; empty when there are
    no others."""
    versions = list(
        matching(Filter(profile_id=image.profile_id, workflow_id=image.workflow_id, scope=within))
        .order_by(Image.created_at, Image.id)
        .limit(MAX_VERSIONS)
    )
    return versions if len(versions) > 1 else []


def list_events(image_id: str) -> list[ImageEvent]:
    """What happened to an image since it was stored, oldest first."""
    return list(ImageEvent.select().where(ImageEvent.image == image_id).order_by(ImageEvent.id))


def list_page(
    filter_: Filter, *, limit: int, before: str | None = None, after: str | None = None
) -> GalleryPage:
    """A page of the gallery, by keyset: images that a sync adds at the beginning do not shift it.

    It contains what follows the image with the id `before` in the filter's order, or what precedes the image
    with the id `after`. Without either, or when that image was removed or left the scope, it is the first
    page.
    """
    edge = _find_edge(filter_, before or after)
    if edge and after:
        rows = _list_beyond(filter_, edge, limit + 1, backwards=True)
        has_newer, rows = len(rows) > limit, rows[:limit][::-1]
        return _page(rows, edge, has_newer=has_newer, has_older=True)
    rows = _list_beyond(filter_, edge, limit + 1)
    has_older = len(rows) > limit
    return _page(
        rows[:limit],
        edge,
        has_newer=edge is not None,
        has_older=has_older,
        is_whole=edge is None and not has_older,
    )


def _find_edge(filter_: Filter, image_id: str | None) -> Image | None:
    at = Image.id == image_id
    return Image.get_or_none(at, *scope.conditions(filter_.scope)) if image_id else None


def list_page_from(filter_: Filter, start: Filter, *, limit: int) -> GalleryPage:
    """A page of `filter_` that begins with the first image of `start`, a part of the same filter and order;
    the last page when that part is empty."""
    rows = _list_beyond(start, None, limit + 1)
    has_older, rows = len(rows) > limit, rows[:limit]
    if not rows:
        rows = _list_beyond(filter_, None, limit, backwards=True)[::-1]
    has_newer = bool(rows) and bool(_list_beyond(filter_, rows[0], 1, backwards=True))
    return _page(rows, None, has_newer=has_newer, has_older=has_older, is_whole=not (has_newer or has_older))


def list_neighbours(filter_: Filter, image: Image) -> tuple[str | None, str | None]:
    """The ids of the images before and after an image in a filter's order, None where there is none."""
    before, after = _list_beyond(filter_, image, 1, backwards=True), _list_beyond(filter_, image, 1)
    return before[0].id if before else None, after[0].id if after else None


def _list_beyond(filter_: Filter, edge: Image | None, count: int, *, backwards: bool = False) -> list[Image]:
    """The first `count` images of a filter in its order, or the next ones beyond `edge`."""
    ascends = (filter_.sort is Sort.OLDEST) != backwards
    order = ("1", "2") if ascends else ("1 DESC", "2 DESC")
    found: list[str] = []
    for month_range in months.list_ranges(filter_, edge, count, backwards=backwards):
        selects = []
        for part in parts(filter_):
            beyond = [part.beyond(edge, backwards=backwards)] if edge else []
            selects.append(matching(part).where(*beyond, *month_range).select(*part.fields))
        union = reduce(or_, selects)
        rows = (
            union.order_by(*map(SQL, order))
            if len(selects) > 1
            else filter_.ordered(union, backwards=backwards)
        )
        rows = rows.limit(count - len(found))
        found += [image_id for _, image_id in rows.tuples()]
        if len(found) == count:
            break
    # Only now whole rows: the search may have sorted the ids of ten thousand images for these few.
    return list_in_order(found)


def _page(
    rows: list[Image], edge: Image | None, *, has_newer: bool, has_older: bool, is_whole: bool = False
) -> GalleryPage:
    return GalleryPage(
        edge=edge,
        images=rows,
        older_than=rows[-1].id if rows and has_older else None,
        newer_than=rows[0].id if rows and has_newer else None,
        is_whole=is_whole,
    )


def count_files() -> int:
    """How many images should have a file, hidden ones included."""
    return Image.select().where(Image.local_path.is_null(False)).count()


def mark_not_wanted(image_ids: Iterable[str]) -> None:
    """Leave images out of “all pending” until a person asks for them by name."""
    _update(image_ids, not_wanted_at=now())


def find_ids(profile_id: str, names: Iterable[str]) -> dict[str, str]:
    """The ids of the profile's images by name; names that it does not have are left out."""
    ids: dict[str, str] = {}
    for chunk in chunked(list(names)):
        # The profile is compared here, because SQLite might use the index on profile_id and read all of its
        # images.
        rows = Image.select(Image.profile_id, Image.name, Image.id).where(Image.name.in_(chunk))
        ids |= {name: id_ for owner, name, id_ in rows.tuples().iterator() if owner == profile_id}
    return ids


def list_ids_of_names(names: Iterable[str]) -> list[str]:
    """The ids of images of any profile; names that are not on the shelf are left out."""
    ids: list[str] = []
    for chunk in chunked(list(names)):
        ids.extend(Image.select(Image.id).where(Image.name.in_(chunk)).scalars())
    return ids


def list_by_ids(image_ids: Iterable[str]) -> list[Image]:
    """Images in no order; ids that do not exist are left out."""
    images: list[Image] = []
    for chunk in chunked(list(image_ids)):
        images.extend(Image.select().where(Image.id.in_(chunk)))
    return images


def list_with_file(after_id: str = "", profile_id: str | None = None) -> list[Image]:
    """The next ROWS_PER_STATEMENT images with a file, in the order of their ids."""
    images = Image.select().where(Image.local_path.is_null(False), Image.id > after_id)
    if profile_id:
        images = images.where(Image.profile_id == profile_id)
    return list(images.order_by(Image.id).limit(ROWS_PER_STATEMENT))


def list_unmeasured(after_id: str, limit: int) -> list[Image]:
    """Images with a file but without width and height, in the order of their ids."""
    unmeasured = Image.local_path.is_null(False), Image.width.is_null(), Image.id > after_id
    return list(Image.select().where(*unmeasured).order_by(Image.id).limit(limit))


def note_sizes(sizes: Iterable[tuple[Image, tuple[int, int]]]) -> None:
    """Store (width, height) of measured files, unless an image got another file meanwhile, which brought its
    own size."""
    with transaction():
        for image, (width, height) in sizes:
            Image.update(width=width, height=height).where(
                _is_unchanged(image), Image.width.is_null()
            ).execute()


def list_untimed(after_id: str, limit: int) -> list[Image]:
    """Images whose file does not have the time of the image yet, in the order of their ids."""
    untimed = Image.local_path.is_null(False), Image.file_time_at.is_null(), Image.id > after_id
    return list(Image.select().where(*untimed).order_by(Image.id).limit(limit))


def note_file_times(times: Iterable[tuple[Image, str]]) -> None:
    """Store `file_time_at`, unless an image got another file meanwhile."""
    with transaction():
        for image, moment in times:
            Image.update(file_time_at=moment).where(
                _is_unchanged(image), Image.file_time_at.is_null()
            ).execute()


def mark_as_found(seen: Iterable[Image], **fields: Any) -> int:
    """Change the rows of images whose files were examined, and return how many were changed.

    Rows that got another file since they were read stay as they are.
    """
    with transaction():
        return sum(Image.update(**fields).where(_is_unchanged(image)).execute() for image in seen)


def _is_unchanged(image: Image) -> Expression:
    same_bytes = Image.sha256.is_null() if image.sha256 is None else Image.sha256 == image.sha256
    return (Image.id == image.id) & (Image.local_path == image.local_path) & same_bytes


def mark_missing(image_ids: Iterable[str]) -> None:
    """Record that the files of images are missing, which makes the images pending again."""
    _update(image_ids, **NO_FILE)


def mark_damaged(image_ids: Iterable[str], moment: str) -> None:
    _update(image_ids, damaged_at=moment)


def note_fresh_preview(image_id: str, fife_url: str) -> None:
    """Store a renewed preview URL."""
    Image.update(fife_url=fife_url).where(Image.id == image_id).execute()


def _update(image_ids: Iterable[str], **fields: object) -> None:
    with transaction():
        for chunk in chunked(list(image_ids)):
            Image.update(**fields).where(Image.id.in_(chunk)).execute()
