"""What is needed to find or fetch the file of one image."""

from dataclasses import dataclass
from pathlib import Path

from webapp.database.roots import current_roots
from webapp.storage.roots import Place


@dataclass(frozen=True, slots=True)
class Fileless:
    """An image whose file is looked for or to be fetched.

    `folder` is the one that its download named, None for the profile's own. `has_plain_name`: no image stored
    earlier has the same media key, ignoring case, so the file can be named after it. The three after that are
    what the row knows of a file that is missing or to be replaced.
    """

    image_id: str
    profile_id: str
    name: str
    media_key: str
    folder: str | None
    has_plain_name: bool
    local_path: str | None
    root_id: int | None
    sha256: str | None
    created_at: str

    @property
    def file_path(self) -> Path | None:
        """The absolute path of that file; None if the row names none."""
        if self.local_path is None:
            return None
        return current_roots().path_of(Place(self.root_id, self.local_path))
