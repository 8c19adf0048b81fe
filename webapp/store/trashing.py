"""Records files that go to the trash, in the transaction that says why."""

import secrets
from collections.abc import Sequence
from pathlib import PurePosixPath

from webapp.database.base import db
from webapp.database.models import Download, Image, Profile, TrashedFile
from webapp.database.states import TrashReason, TrashState
from webapp.storage import TRASH_FOLDER
from webapp.storage.roots import Place
from webapp.store import chunked, transaction
from webapp.times import now

# Longer names are cut: the path in the trash may be longer than the one before.
_MAX_NAME = 60
# Columns of an image that are those of its file in the trash.
_OF_FILES = ("root_id", "local_path", "size_bytes", "sha256", "damaged_at", "changed_sha256")
_OF_IMAGES = ("name", "profile_id", *_OF_FILES)


def add_files(with_file: Sequence[Image], reason: TrashReason) -> list[TrashedFile]:
    """Record that the files of images are moved to the trash, as one act."""
    act, moment = f"{now()[:10]}-{secrets.token_hex(6)}", now()
    with transaction():
        walk_id, next_id = _last_walk_id(), (_last_id() or 0) + 1
        owners = {profile.id: profile for profile in Profile.select()}
        fetched = _fetched([image.id for image in with_file])
        common = {"act": act, "reason": reason, "after_walk_id": walk_id, "trashed_at": moment}
        rows = []
        for number, image in enumerate(with_file, 1):
            trash_path = f"{TRASH_FOLDER}/{act}/{number}-{_short_name(image.local_path or '')}"
            row = {"id": next_id + number, "trash_path": trash_path, "fetched_sha256": fetched.get(image.id)}
            rows.append(_row_of(image, owners.get(image.profile_id), common | row))
        for chunk in chunked(rows, 100):
            TrashedFile.insert_many([row.__data__ for row in chunk]).execute()
    return rows


def _row_of(image: Image, owner: Profile | None, common: dict[str, object]) -> TrashedFile:
    return TrashedFile(
        **common,
        **{name: getattr(image, name) for name in _OF_IMAGES},
        image_id=image.id,
        profile_name=owner.name if owner else "",
        account=owner.account_email if owner else None,
    )


def add_found(place: Place, trash_path: str, *, act: str, about: dict[str, str], size_bytes: int) -> None:
    """Record a file that lies in the trash although no row knows it, as after a restored backup.

    It counts as deleted now, and as one that Flowshelf did not download.
    """
    TrashedFile.create(
        act=act,
        state=TrashState.KEPT,
        reason=about["reason"],
        image_id=about["imageId"],
        name=about["image"],
        profile_id=about["profileId"],
        profile_name=about["profile"],
        account=about["account"] or None,
        root_id=place.root_id,
        local_path=place.local_path,
        trash_path=trash_path,
        size_bytes=size_bytes,
        sha256=about["sha256"] or None,
        after_walk_id=_last_walk_id(),
        trashed_at=now(),
    )


def _last_walk_id() -> int:
    """The highest id that any walk ever had: walks of removed profiles count."""
    found = db.execute_sql("SELECT seq FROM sqlite_sequence WHERE name = 'walk'").fetchone()
    return found[0] if found else 0


def _last_id() -> int | None:
    found = db.execute_sql("SELECT seq FROM sqlite_sequence WHERE name = 'trashed_file'").fetchone()
    return found[0] if found else None


def _fetched(image_ids: Sequence[str]) -> dict[str, str | None]:
    """The sha256 of what Flow sent, by the ids of images."""
    found: dict[str, str | None] = {}
    for chunk in chunked(image_ids):
        rows = Download.select(Download.image, Download.fetched_sha256).where(Download.image.in_(chunk))
        found |= dict(rows.tuples().iterator())
    return found


def _short_name(local_path: str) -> str:
    name = PurePosixPath(local_path.replace("\\", "/"))
    return f"{name.stem[:_MAX_NAME]}{name.suffix[:10]}"
