"""Files that a person deletes while the rows of their images stay."""

from collections.abc import Iterable

from webapp.database.models import Image, Removal
from webapp.store import transaction
from webapp.store.gallery import images
from webapp.store.removals import add_removals, finish_removals


def request_deletions(with_file: Iterable[Image]) -> list[Removal]:
    """Record the files of images to delete, and leave the images out of “all pending”.

    One transaction: an image whose file is gone but which is not marked would be downloaded again.
    """
    listed = list(with_file)
    with transaction():
        images.mark_not_wanted([image.id for image in listed])
        return add_removals((image.local_path or "", image.root_id, image.id) for image in listed)


def finish_deletions(rows: Iterable[Removal], deleted: Iterable[Image]) -> None:
    """Note that the files of `deleted` are gone, and forget the removals."""
    with transaction():
        images.mark_as_found(deleted, **images.NO_FILE)
        finish_removals(rows)
