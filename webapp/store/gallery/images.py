"""What the gallery, the API and `verify` read of images, and what becomes of an image's file."""

from collections.abc import Iterable
from dataclasses import dataclass

from peewee import Expression

from webapp.database.models import Image, ImageEvent, db
from webapp.errors import UnknownImage
from webapp.store import ROWS_PER_STATEMENT, chunked, transaction
from webapp.store.gallery import months
from webapp.store.gallery.filters import Filter, matching, with_download
from webapp.store.gallery.selections import list_in_order
from webapp.times import now

MAX_VERSIONS = 24
_NOTE_SIZE = """UPDATE veo3_image_generations SET width = ?, height = ?
    WHERE id = ? AND local_path = ? AND width IS NULL"""
# A row without a file. How large the picture is stays known.
NO_FILE = dict.fromkeys(("local_path", "size_bytes", "sha256", "downloaded_at", "damaged_at"))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the gallery, newest first, and the ids to go on from in both directions. `is_whole`: it
    is the only one."""

    images: list[Image]
    older_than: str | None
    newer_than: str | None
    is_whole: bool


def get_image(image_id: str) -> Image:
    """One image with its latest wish as `wish`."""
    if image := with_download().where(Image.id == image_id).first():
        return image
    raise UnknownImage("There is no such image on this shelf.")


def list_versions(image: Image) -> list[Image]:
    """The images of a profile that share a card with one, itself among them, the oldest first; empty when
    it stands alone."""
    versions = list(
        matching(Filter(profile_id=image.profile_id, workflow_id=image.workflow_id))
        .order_by(Image.created_at, Image.id)
        .limit(MAX_VERSIONS)
    )
    return versions if len(versions) > 1 else []


def list_events(image_id: str) -> list[ImageEvent]:
    """What became of an image since it was stored, what came first at the top."""
    return list(ImageEvent.select().where(ImageEvent.image == image_id).order_by(ImageEvent.id))


def list_page(filter_: Filter, *, limit: int, before: str | None = None, after: str | None = None) -> Page:
    """A page by keyset, so that new images arriving at the head never shift it.

    `before` and `after` are ids of images: what comes after the one in the filter's sorting (older, when
    the newest come first), and what comes in front of the other. An id that is not there any more is the
    beginning.
    """
    edge = Image.get_or_none(Image.id == (before or after)) if before or after else None
    if edge and after:
        rows = _walk(filter_, edge, limit + 1, backwards=True)
        has_newer, rows = len(rows) > limit, rows[:limit][::-1]
        return _page(rows, has_newer=has_newer, has_older=True)
    rows = _walk(filter_, edge, limit + 1)
    has_older = len(rows) > limit
    return _page(
        rows[:limit],
        has_newer=edge is not None,
        has_older=has_older,
        is_whole=edge is None and not has_older,
    )


def list_neighbours(filter_: Filter, image: Image) -> tuple[str | None, str | None]:
    """The ids of the images in front of and after an image within a filter."""
    before, after = _walk(filter_, image, 1, backwards=True), _walk(filter_, image, 1)
    return before[0].id if before else None, after[0].id if after else None


def _walk(filter_: Filter, edge: Image | None, count: int, *, backwards: bool = False) -> list[Image]:
    """The first images of a filter in its sorting, or the next ones from an edge on."""
    ids, found = matching(filter_).select(Image.id), []
    if edge:
        ids = ids.where(filter_.beyond(edge, backwards=backwards))
    ids = filter_.ordered(ids, backwards=backwards)
    for stretch in months.list_stretches(filter_, edge, count, backwards=backwards):
        found += [image_id for (image_id,) in ids.where(*stretch).limit(count - len(found)).tuples()]
        if len(found) == count:
            break
    return list_in_order(found)  # whole rows of these alone: ten thousand may have been sorted for them


def _page(rows: list[Image], *, has_newer: bool, has_older: bool, is_whole: bool = False) -> Page:
    return Page(
        images=rows,
        older_than=rows[-1].id if rows and has_older else None,
        newer_than=rows[0].id if rows and has_newer else None,
        is_whole=is_whole,
    )


def count_files() -> int:
    """Images that should have a file, hidden ones too."""
    return Image.select().where(Image.local_path.is_null(False)).count()


def mark_not_wanted(image_ids: Iterable[str]) -> None:
    """Left out of “all pending” until a person asks for them by name."""
    _update(image_ids, not_wanted_at=now())


def find_ids(profile_id: str, names: Iterable[str]) -> dict[str, str]:
    """The ids of those of `names` that the profile has."""
    ids = {}
    for chunk in chunked(list(names)):
        rows = Image.select(Image.profile_id, Image.name, Image.id).where(Image.name.in_(chunk))
        ids |= {name: image_id for owner, name, image_id in rows.tuples() if owner == profile_id}
    return ids


def list_by_ids(image_ids: Iterable[str]) -> list[Image]:
    images = []
    for chunk in chunked(list(image_ids)):
        images.extend(Image.select().where(Image.id.in_(chunk)))
    return images


def list_with_file(after_id: str = "", profile_id: str | None = None) -> list[Image]:
    """A statement's worth of images that have a file, in the order of their ids."""
    images = Image.select().where(Image.local_path.is_null(False), Image.id > after_id)
    if profile_id:
        images = images.where(Image.profile_id == profile_id)
    return list(images.order_by(Image.id).limit(ROWS_PER_STATEMENT))


def list_unmeasured(after_id: str, limit: int) -> list[tuple[str, str]]:
    """Ids and paths of images that have a file and whose size is not known, in the order of their ids."""
    unmeasured = Image.local_path.is_null(False), Image.width.is_null(), Image.id > after_id
    rows = Image.select(Image.id, Image.local_path).where(*unmeasured)
    return list(rows.order_by(Image.id).limit(limit).tuples())


def note_sizes(sizes: Iterable[tuple[str, str, tuple[int, int]]]) -> None:
    """Write down the sizes of images that were measured in their files, by ids and paths; where another
    file came meanwhile, its own size is there already."""
    with transaction():
        for image_id, path, size in sizes:
            db.execute_sql(_NOTE_SIZE, (*size, image_id, path))


def mark_as_found(seen: Iterable[Image], **fields) -> int:
    """Change the rows of images whose files were looked at, unless another file came meanwhile."""
    with transaction():
        return sum(Image.update(**fields).where(_is_as_seen(image)).execute() for image in seen)


def _is_as_seen(image: Image) -> Expression:
    same_bytes = Image.sha256.is_null() if image.sha256 is None else Image.sha256 == image.sha256
    return (Image.id == image.id) & (Image.local_path == image.local_path) & same_bytes


def mark_missing(image_ids: Iterable[str]) -> None:
    """The files of these images are not there: the rows are pending again."""
    _update(image_ids, **NO_FILE)


def mark_damaged(image_ids: Iterable[str], moment: str) -> None:
    _update(image_ids, damaged_at=moment)


def note_fresh_preview(image_id: str, fife_url: str) -> None:
    Image.update(fife_url=fife_url).where(Image.id == image_id).execute()


def _update(image_ids: Iterable[str], **fields) -> None:
    with transaction():
        for chunk in chunked(list(image_ids)):
            Image.update(**fields).where(Image.id.in_(chunk)).execute()
