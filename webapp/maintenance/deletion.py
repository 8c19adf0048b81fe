"""Files that a person has deleted: from the disk, with their thumbnails; the rows stay."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from webapp import storage, store
from webapp.database.models import Image
from webapp.errors import FolderGone
from webapp.store.gallery import images


def delete_files(image_ids: Sequence[str], roots: Sequence[Path], thumbnails_dir: Path) -> tuple[int, int]:
    """How many files were deleted, and how many stay: their folder is not there or not ours to change."""
    deleted: list[Image] = []
    kept_count = 0
    for chunk in store.chunked(list(image_ids)):
        having = [image for image in images.list_by_ids(chunk) if image.local_path]
        gone = _delete(having, roots)
        deleted += gone
        kept_count += len(having) - len(gone)
    _remove_thumbnails(deleted, thumbnails_dir)
    return len(deleted), kept_count


def _delete(having: list[Image], roots: Sequence[Path]) -> list[Image]:
    """The mark comes first: were this cut short, a file that is gone must not be fetched by itself."""
    removable = [image for image in having if _may_go(image, roots)]
    images.mark_not_wanted([image.id for image in removable])
    gone = [image for image in removable if storage.remove_file(image.local_path, roots)]
    images.mark_missing([image.id for image in gone])
    return gone


def _may_go(image: Image, roots: Sequence[Path]) -> bool:
    try:
        return not storage.is_there(image.local_path, roots) or bool(
            storage.path_under(image.local_path, roots)
        )
    except FolderGone:
        return False


def _remove_thumbnails(deleted: Iterable[Image], thumbnails_dir: Path) -> None:
    """A thumbnail is called `<id>-<sha256>-<edge>.webp`; an id that was imported may have dashes too."""
    ids = {image.id for image in deleted}
    for folder in {thumbnails_dir / image.profile_id for image in deleted}:
        for path in folder.glob("*"):
            if path.stem.rsplit("-", 2)[0] in ids:
                with suppress(OSError):
                    path.unlink()
