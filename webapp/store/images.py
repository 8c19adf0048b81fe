"""What the gallery, the API and `verify` read of images, and what becomes of an image's file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from peewee import JOIN, Case, Expression, Tuple, fn

from webapp.errors import UnknownImage
from webapp.models import Download, DownloadState, Image
from webapp.store import ROWS_PER_STATEMENT, chunked, transaction

# A row without a file.
NO_FILE = dict.fromkeys(("local_path", "size_bytes", "sha256", "downloaded_at", "damaged_at"))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the gallery, newest first, and the ids to go on from in both directions."""

    images: list[Image]
    older_than: str | None
    newer_than: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of what the gallery shows of a profile, or of all."""

    total: int
    downloaded: int
    failed: int
    active: int
    size_bytes: int


def get_image(image_id: str) -> Image:
    """One image with its latest wish as `wish`."""
    if image := _with_wish().where(Image.id == image_id).first():
        return image
    raise UnknownImage("There is no such image on this shelf.")


def list_page(
    profile_id: str | None, *, limit: int, before: str | None = None, after: str | None = None
) -> Page:
    """A page by keyset, so that new images arriving at the head never shift it.

    `before` and `after` are ids of images: what is older than the one, newer than the other. An id
    that is not there any more is the head.
    """
    images = _visible(profile_id)
    edge = Image.get_or_none(Image.id == (before or after)) if before or after else None
    key = Tuple(Image.created_at, Image.id)
    if edge and after:
        newer = images.where(key > Tuple(edge.created_at, edge.id))
        rows = list(newer.order_by(Image.created_at, Image.id).limit(limit + 1))
        has_newer, rows = len(rows) > limit, rows[:limit][::-1]
        return _page(rows, has_newer=has_newer, has_older=True)
    if edge:
        images = images.where(key < Tuple(edge.created_at, edge.id))
    rows = list(images.order_by(Image.created_at.desc(), Image.id.desc()).limit(limit + 1))
    return _page(rows[:limit], has_newer=edge is not None, has_older=len(rows) > limit)


def _page(rows: list[Image], *, has_newer: bool, has_older: bool) -> Page:
    return Page(
        images=rows,
        older_than=rows[-1].id if rows and has_older else None,
        newer_than=rows[0].id if rows and has_newer else None,
    )


def count_files() -> int:
    """Images that should have a file, hidden ones too."""
    return Image.select().where(Image.local_path.is_null(False)).count()


def count_images(profile_id: str | None = None) -> Totals:
    state = Download.state
    row = (
        _visible(profile_id)
        .select(
            fn.COUNT(Image.id),
            fn.COUNT(Image.local_path),
            fn.COALESCE(
                fn.SUM(Case(None, [((state == DownloadState.FAILED) & Image.local_path.is_null(), 1)], 0)), 0
            ),
            fn.COALESCE(
                fn.SUM(Case(None, [(state.in_((DownloadState.WANTED, DownloadState.RUNNING)), 1)], 0)), 0
            ),
            fn.COALESCE(fn.SUM(Case(None, [(Image.local_path.is_null(False), Image.size_bytes)], 0)), 0),
        )
        .tuples()
        .get()
    )
    return Totals(*row)


def list_images(
    profile_id: str, *, limit: int | None = None, before: str | None = None
) -> Iterator[list[Image]]:
    """Visible images of a profile newest first, a statement at a time. The connection has to stay open
    while the pieces are taken."""
    left = limit if limit is not None else float("inf")
    while left > 0:
        page = list_page(profile_id, limit=int(min(left, ROWS_PER_STATEMENT)), before=before)
        if page.images:
            yield page.images
        left -= len(page.images)
        if page.older_than is None:
            return
        before = page.older_than


def find_ids(profile_id: str, names: Iterable[str]) -> dict[str, str]:
    """The ids of those of `names` that the profile has."""
    ids = {}
    for piece in chunked(list(names)):
        rows = Image.select(Image.profile_id, Image.name, Image.id).where(Image.name.in_(piece))
        ids |= {name: image_id for owner, name, image_id in rows.tuples() if owner == profile_id}
    return ids


def list_by_ids(image_ids: Iterable[str]) -> list[Image]:
    images = []
    for piece in chunked(list(image_ids)):
        images.extend(Image.select().where(Image.id.in_(piece)))
    return images


def list_with_file(after_id: str = "", profile_id: str | None = None) -> list[Image]:
    """A statement's worth of images that have a file, in the order of their ids."""
    images = Image.select().where(Image.local_path.is_null(False), Image.id > after_id)
    if profile_id:
        images = images.where(Image.profile_id == profile_id)
    return list(images.order_by(Image.id).limit(ROWS_PER_STATEMENT))


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
        for piece in chunked(list(image_ids)):
            Image.update(**fields).where(Image.id.in_(piece)).execute()


def _visible(profile_id: str | None):
    images = _with_wish().where(Image.hidden_at.is_null())
    return images.where(Image.profile_id == profile_id) if profile_id else images


def _with_wish():
    return Image.select(Image, Download).join(Download, JOIN.LEFT_OUTER, attr="wish")
