"""The table of files in the trash."""

from pathlib import Path

from webapp.database.base import BaseModel
from webapp.database.fields import AutoIncrementField, IntegerField, TextField
from webapp.database.roots import current_roots
from webapp.database.states import TrashReason, TrashState
from webapp.storage.roots import Place


class TrashedFile(BaseModel):
    """A file in the trash, or on its way into it or out of it (`state`).

    The row is written before the file is moved, so a killed process leaves no file that nobody knows. It
    outlives its image and its profile, so it holds what is needed of them. `act`: all files of one Delete
    have the same. `local_path` is where the file was, `trash_path` where it lies, both relative to the root
    `root_id`; while it is being restored, `target_path` is where it goes. `size_bytes`, `sha256`,
    `damaged_at` and `changed_sha256` are what the image knew of its file. `fetched_sha256`: what Flowshelf
    downloaded from Flow, null for a file that it did not. `after_walk_id`: the newest walk at that time; a
    later one that saw the image shows that Flow still has it.
    """

    # AUTOINCREMENT: a page that a person confirmed names the last id that was shown there.
    id = AutoIncrementField()
    act = TextField()
    state = TextField(default=TrashState.MOVING)
    reason = TextField()
    image_id = TextField()
    name = TextField()
    profile_id = TextField()
    profile_name = TextField()
    account = TextField(null=True)
    root_id = IntegerField(null=True)
    local_path = TextField()
    trash_path = TextField()
    target_path = TextField(null=True)
    size_bytes = IntegerField(null=True)
    sha256 = TextField(null=True)
    fetched_sha256 = TextField(null=True)
    damaged_at = TextField(null=True)
    changed_sha256 = TextField(null=True)
    after_walk_id = IntegerField()
    trashed_at = TextField()

    @property
    def file_path(self) -> Path:
        """Where the file was."""
        return current_roots().path_of(Place(self.root_id, self.local_path))

    @property
    def path_in_trash(self) -> Path:
        """Where the file lies."""
        return current_roots().path_of(Place(self.root_id, self.trash_path))

    @property
    def target(self) -> Path | None:
        """Where the file goes while it is being restored."""
        if self.target_path is None:
            return None
        return current_roots().path_of(Place(self.root_id, self.target_path))

    @property
    def is_reason_replaced(self) -> bool:
        return self.reason == TrashReason.REPLACED
