"""Gives files that an earlier version has kept the time of their image."""

from collections.abc import Sequence

from webapp import storage
from webapp.background.backfill import Backfill
from webapp.database.models import Image
from webapp.errors import FolderGone
from webapp.maintenance.changes import is_untouched
from webapp.store.gallery import images
from webapp.times import now


class TimeBackfill(Backfill[str]):
    """Sets the times of files, and fills in `file_time_at`.

    Only files under a storage root are touched, and none that was changed outside Flowshelf.
    """

    failure = "the times of files could not be set; the next start continues"

    def list_lacking(self, after_id: str, limit: int) -> list[Image]:
        return images.list_untimed(after_id, limit)

    def find_value(self, image: Image, path: str) -> str | None:
        """None when the file was left as it is."""
        if image.changed_sha256:
            return None
        try:
            file = storage.path_under(path, self.roots)
            found, moment = file.stat(), now()
            if not file.is_file() or not storage.set_made_time(file, image.created_at):
                return None
        except (FolderGone, OSError, ValueError):
            return None
        # A file that somebody had touched before stays one whose bytes are compared before they are trusted.
        return moment if is_untouched(image, found) else image.downloaded_at or image.created_at

    def note(self, found: Sequence[tuple[Image, str]]) -> None:
        images.note_file_times(found)
