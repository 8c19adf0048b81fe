"""Fills in the picture sizes of rows that were stored before sizes were recorded."""

from collections.abc import Sequence

from webapp import storage
from webapp.background.backfill import Backfill
from webapp.database.models import Image
from webapp.errors import FolderGone
from webapp.store.gallery import images


class SizeBackfill(Backfill[tuple[int, int]]):
    """Fills in width and height."""

    failure = "image sizes could not be read; the next start continues"

    def list_lacking(self, after_id: str, limit: int) -> list[Image]:
        return images.list_unmeasured(after_id, limit)

    def find_value(self, image: Image, path: str) -> tuple[int, int] | None:
        """None when the file cannot be read: removed, no picture, or its disk unplugged."""
        try:
            file = storage.path_under(path, self.roots)
            return storage.measure(file) if file.is_file() else None
        except (FolderGone, OSError, ValueError):
            return None

    def note(self, found: Sequence[tuple[Image, tuple[int, int]]]) -> None:
        images.note_sizes(found)
