"""Deletes files on a person's request, with their thumbnails. The rows stay."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from webapp import storage, store
from webapp.database.models import Image
from webapp.errors import FolderGone
from webapp.store.gallery import images


def delete_files(image_ids: Sequence[str], roots: Sequence[Path], thumbnails_dir: Path) -> tuple[int, int]:
    """Delete the files of images. Returns how many were deleted, and how many were not.

    A file outside the storage roots, or one whose root is missing, stays.
    """
    deleted: list[Image] = []
    failed_count = 0
    for chunk in store.chunked(list(image_ids)):
        files = {image: path for image in images.list_by_ids(chunk) if (path := image.file_path)}
        deleted_here = _delete(files, roots)
        deleted += deleted_here
        failed_count += len(files) - len(deleted_here)
    _remove_thumbnails(deleted, thumbnails_dir)
    return len(deleted), failed_count


def _delete(files: dict[Image, str], roots: Sequence[Path]) -> list[Image]:
    """Mark, delete, then note that the files are gone.

    The mark comes first. If the process ends in between, an image whose file is gone but which is not marked
    would be downloaded again with the next "all pending".
    """
    deletable = {image: path for image, path in files.items() if _is_deletable(path, roots)}
    images.mark_not_wanted([image.id for image in deletable])
    deleted = [image for image, path in deletable.items() if storage.remove_file(path, roots)]
    images.mark_missing([image.id for image in deleted])
    return deleted


def _is_deletable(path: str, roots: Sequence[Path]) -> bool:
    """Whether a file lies under a root, or is missing from a root that is there."""
    try:
        if storage.is_there(path, roots):
            storage.path_under(path, roots)
    except FolderGone:
        return False
    return True


def _remove_thumbnails(deleted: Iterable[Image], thumbnails_dir: Path) -> None:
    """The name of a thumbnail is `<id>-<sha256>-<edge>.webp`; imported ids may contain dashes."""
    ids = {image.id for image in deleted}
    for folder in {thumbnails_dir / image.profile_id for image in deleted}:
        for path in folder.glob("*"):
            if path.stem.rsplit("-", 2)[0] in ids:
                with suppress(OSError):
                    path.unlink()
