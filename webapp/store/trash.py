"""Files in the trash. Each is recorded before it is moved, so that whatever was killed can be carried on.

A file that Flowshelf downloaded itself and that Flow showed in a walk after the deletion can be downloaded
again: only such files are deleted without asking a person.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from peewee import Case, Expression, Function, fn

from webapp.database.base import db
from webapp.database.models import Image, TrashedFile
from webapp.database.states import TrashReason, TrashState
from webapp.storage.roots import Place
from webapp.store import ROWS_PER_STATEMENT, chunked, transaction
from webapp.store.gallery import images
from webapp.store.runs import downloads
from webapp.store.trashing import add_files
from webapp.times import now, timestamp

# Flow sent this file to Flowshelf, and nobody changed it since.
_IS_FETCHED = (
    TrashedFile.fetched_sha256.is_null(False)
    & (TrashedFile.fetched_sha256 == TrashedFile.sha256)
    & TrashedFile.changed_sha256.is_null()
)
_IS_SEEN = fn.EXISTS(
    Image.select(Image.id).where(
        Image.name == TrashedFile.name,
        Image.seen_walk_id > TrashedFile.after_walk_id,
        Image.gone_upstream_at.is_null(),
    )
)
_IS_GONE = fn.EXISTS(
    Image.select(Image.id).where(Image.name == TrashedFile.name, Image.gone_upstream_at.is_null(False))
)
_IS_KEPT = TrashedFile.state == TrashState.KEPT


@dataclass(frozen=True, slots=True)
class TrashSummary:
    """What lies in the trash, and on its way there or out.

    `only_here_count`: files that exist nowhere else, because Flowshelf did not download them, they were
    changed since, or Flow no longer has the image. `unsure_count`: no sync has seen their images since. All
    others are in Flow. `last_id` is the newest file that is counted.
    """

    count: int
    size_bytes: int
    only_here_count: int
    unsure_count: int
    in_use_count: int
    last_id: int

    @property
    def in_flow_count(self) -> int:
        return self.count - self.only_here_count - self.unsure_count


def request_trashing(listed: Iterable[Image]) -> list[TrashedFile]:
    """Record that a person deletes the files of images, as one act, and leave the images out of “all
    pending”.

    One transaction: an image whose file is gone but which is not marked would be downloaded again.
    """
    rows = list(listed)
    with transaction():
        images.mark_not_wanted([image.id for image in rows])
        return add_files(rows, TrashReason.DELETED)


# Queries


def find(row_id: int) -> TrashedFile | None:
    return TrashedFile.get_or_none(TrashedFile.id == row_id)


def list_by_ids(ids: Iterable[int]) -> list[TrashedFile]:
    """The rows that are still there, in the order of their ids."""
    rows: list[TrashedFile] = []
    for chunk in chunked(sorted(ids)):
        rows.extend(TrashedFile.select().where(TrashedFile.id.in_(chunk)).order_by(TrashedFile.id))
    return rows


def list_under_way() -> list[TrashedFile]:
    """What a killed process, or a file in use, left to do."""
    # Spelled like the index `trashed_under_way`.
    ids = db.execute_sql("SELECT id FROM trashed_file WHERE state != 'kept' ORDER BY id").fetchall()
    return list_by_ids(id_ for (id_,) in ids)


def list_newest(limit: int, before: int | None = None) -> list[TrashedFile]:
    """Files in the trash and on their way, the last deleted first."""
    rows = TrashedFile.select()
    if before is not None:
        rows = rows.where(TrashedFile.id < before)
    return list(rows.order_by(TrashedFile.id.desc()).limit(limit))


def list_safe_ids(ids: Iterable[int], *, is_seen: bool = True) -> set[int]:
    """Which of these files the background may empty once their time has come. Without `is_seen`: once a sync
    has seen their images, too."""
    is_safe = TrashedFile.id.in_(list(ids)) & _IS_FETCHED
    is_safe &= _IS_SEEN if is_seen else ~_IS_GONE
    return set(TrashedFile.select(TrashedFile.id).where(is_safe).scalars())


def list_ids_of_act(act: str) -> list[int]:
    return list(TrashedFile.select(TrashedFile.id).where(TrashedFile.act == act).scalars())


def list_used_places(rows: Sequence[TrashedFile]) -> set[Place]:
    """Where images have their files, of the places where these files were."""
    places: set[Place] = set()
    for chunk in chunked([row.local_path for row in rows]):
        used = Image.select(Image.root_id, Image.local_path).where(Image.local_path.in_(chunk))
        places |= {Place(root_id, path) for root_id, path in used.tuples().iterator()}
    return places


def list_ids_of_images(names: Sequence[str]) -> list[int]:
    """The files of images, by the names of these."""
    ids: list[int] = []
    for chunk in chunked(names):
        ids.extend(TrashedFile.select(TrashedFile.id).where(TrashedFile.name.in_(chunk)).scalars())
    return ids


def list_all_ids(up_to: int | None = None) -> list[int]:
    rows = TrashedFile.select(TrashedFile.id)
    if up_to is not None:
        rows = rows.where(TrashedFile.id <= up_to)
    return list(rows.order_by(TrashedFile.id).scalars())


def count_act(act: str) -> int:
    """How many files of an act can still be restored."""
    return TrashedFile.select().where(TrashedFile.act == act).count()


def is_known(root_id: int | None, trash_path: str) -> bool:
    same_root = TrashedFile.root_id.is_null() if root_id is None else TrashedFile.root_id == root_id
    return TrashedFile.select().where(TrashedFile.trash_path == trash_path, same_root).exists()


def has_act(act: str, root_id: int | None) -> bool:
    """Whether files of an act lie below one root."""
    same_root = TrashedFile.root_id.is_null() if root_id is None else TrashedFile.root_id == root_id
    return TrashedFile.select().where(TrashedFile.act == act, same_root).exists()


def find_of_image(name: str) -> TrashedFile | None:
    """The last file of an image that a person deleted or removed with its profile; not one that another
    replaced, nor a damaged one."""
    # By hand: this is asked for each download, and hardly any image is in the trash.
    if not db.execute_sql("SELECT 1 FROM trashed_file WHERE name = ? LIMIT 1", (name,)).fetchone():
        return None
    found = (
        TrashedFile.select()
        .where(
            TrashedFile.name == name,
            TrashedFile.reason != TrashReason.REPLACED,
            TrashedFile.damaged_at.is_null(),
            _IS_KEPT,
        )
        .order_by(TrashedFile.id.desc())
    )
    return found.first()


def find_image(row: TrashedFile) -> Image | None:
    """The image of a file; by its name if it was stored anew, after its profile had been removed."""
    return Image.get_or_none(Image.id == row.image_id) or Image.get_or_none(Image.name == row.name)


def summary() -> TrashSummary:
    is_there = TrashedFile.state.in_((TrashState.KEPT, TrashState.EMPTYING))
    is_only_here = ~_IS_FETCHED | _IS_GONE
    is_unsure = ~is_only_here & ~_IS_SEEN
    found = (
        TrashedFile.select(
            _count(is_there),
            fn.COALESCE(fn.SUM(Case(None, [(is_there, TrashedFile.size_bytes)], 0)), 0),
            _count(is_there & is_only_here),
            _count(is_there & is_unsure),
            _count(~is_there),
            fn.COALESCE(fn.MAX(TrashedFile.id), 0),
        )
        .tuples()
        .first()
    )
    return TrashSummary(*found)


def _count(condition: Expression) -> Function:
    return fn.COALESCE(fn.SUM(Case(None, [(condition, 1)], 0)), 0)


def list_due_ids(days: int) -> list[int]:
    """Files that the background may delete now."""
    limit = timestamp(datetime.now(UTC) - timedelta(days=days))
    is_due = _IS_KEPT & (TrashedFile.trashed_at < limit) & _IS_FETCHED & _IS_SEEN
    return list(TrashedFile.select(TrashedFile.id).where(is_due).scalars())


def iterate_kept() -> Iterator[TrashedFile]:
    """Files in the trash, in statements of `ROWS_PER_STATEMENT` rows."""
    after_id = 0
    while True:
        rows = list(
            TrashedFile.select()
            .where(TrashedFile.id > after_id, _IS_KEPT)
            .order_by(TrashedFile.id)
            .limit(ROWS_PER_STATEMENT)
        )
        yield from rows
        if len(rows) < ROWS_PER_STATEMENT:
            return
        after_id = rows[-1].id


# Changes


def distrust(row: TrashedFile) -> None:
    """Note that a file is not what Flow sent, so that only a person deletes it."""
    TrashedFile.update(fetched_sha256=None).where(TrashedFile.id == row.id).execute()


def set_state(ids: Iterable[int], state: TrashState) -> None:
    with transaction():
        for chunk in chunked(list(ids)):
            TrashedFile.update(state=state).where(TrashedFile.id.in_(chunk)).execute()


def request_restoring(row: TrashedFile, target_path: str) -> None:
    """Record where a file goes before it is moved there."""
    TrashedFile.update(state=TrashState.RESTORING, target_path=target_path).where(
        TrashedFile.id == row.id
    ).execute()
    row.state, row.target_path = TrashState.RESTORING, target_path


def forget(ids: Iterable[int]) -> None:
    with transaction():
        for chunk in chunked(list(ids)):
            TrashedFile.delete().where(TrashedFile.id.in_(chunk)).execute()


def want_again(row: TrashedFile) -> None:
    """Forget a deletion that did not happen, and the mark that it left on its image."""
    with transaction():
        Image.update(not_wanted_at=None).where(
            Image.id == row.image_id, Image.local_path.is_null(False)
        ).execute()
        forget([row.id])


def finish_moving(
    moved: Sequence[TrashedFile], missing: Sequence[TrashedFile], refused: Sequence[TrashedFile]
) -> None:
    """Record that files lie in the trash, or were missing: their images have none. Forget those that stay
    where they are (`refused`)."""
    with transaction():
        for chunk in chunked([*moved, *missing]):
            by_id = {image.id: image for image in images.list_by_ids([row.image_id for row in chunk])}
            lost = [by_id[row.image_id] for row in chunk if _has_lost(by_id.get(row.image_id), row)]
            images.mark_as_found(lost, **images.NO_FILE)
        set_state((row.id for row in moved), TrashState.KEPT)
        forget(row.id for row in (*missing, *refused))


def _has_lost(image: Image | None, row: TrashedFile) -> bool:
    """Whether the image has no file now: a download replaces a file by another itself."""
    is_current = image is not None and (image.root_id, image.local_path) == (row.root_id, row.local_path)
    return is_current and row.reason != TrashReason.REPLACED


def finish_restoring(row: TrashedFile, place: Place) -> bool:
    """Record that a file lies at `place` again, as that of its image, and forget the row.

    False when the image has got another file meanwhile: then the file lies next to it and no image has it.
    """
    with transaction():
        image = find_image(row)
        is_taken = False
        if image:
            same = (Image.local_path == row.local_path) & (
                Image.root_id.is_null() if row.root_id is None else Image.root_id == row.root_id
            )
            is_free = Image.local_path.is_null() | (same if place.local_path == row.local_path else False)
            is_taken = bool(
                Image.update(
                    local_path=place.local_path,
                    root_id=place.root_id,
                    size_bytes=row.size_bytes,
                    sha256=row.sha256,
                    damaged_at=row.damaged_at,
                    changed_sha256=row.changed_sha256,
                    downloaded_at=now(),
                    not_wanted_at=None,
                )
                .where(Image.id == image.id, is_free)
                .execute()
            )
            if is_taken:
                downloads.finish_queued(image.id, row.size_bytes or 0)
        forget([row.id])
    return is_taken
