"""Files that a person deletes while the rows of their images stay."""

from collections.abc import Iterable

from webapp.database.models import Image, Removal
from webapp.store import transaction
from webapp.store.gallery import images
from webapp.store.removals import add_removals, finish_removals


def request_deletions(files: Iterable[tuple[str, str]]) -> list[Removal]:
    """Record (path, image id) of files to delete, and leave the images out of “all pending”.

    One transaction: an image whose file is gone but which is not marked would be downloaded again.
    """
    listed = list(files)
    with transaction():
        images.mark_not_wanted([image_id for _, image_id in listed])
        return add_removals(listed)


def finish_deletions(rows: Iterable[Removal], deleted: Iterable[Image]) -> None:
    """Note that the files of `deleted` are gone, and forget the removals."""
    with transaction():
        images.mark_as_found(deleted, **images.NO_FILE)
        finish_removals(rows)
