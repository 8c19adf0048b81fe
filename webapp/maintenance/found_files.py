"""Files and rows find each other: an image without a file takes a sound one that lies where its own would be.

That happens before a download fetches anything, in `verify`, and after a restored backup, which knows nothing
of the files that came after it. A file is taken if it is a whole picture, no other image has it, and its
sha256 agrees with the row's, where the row knows one. No file is changed or moved; only its modification time
becomes that of the image.
"""

import logging
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from webapp import storage
from webapp.errors import FolderGone
from webapp.storage.roots import is_absolute
from webapp.store.gallery import fileless
from webapp.store.image_files import Fileless
from webapp.store.roots import current_roots

log = logging.getLogger(__name__)


def find_own_file(folder: Path, stems: Sequence[str], sha256: str | None) -> storage.SoundFile | None:
    """A file in `folder` that an image without a file may take. `sha256` is what its row knows of it."""
    for path in storage.candidates(folder, stems):
        if not fileless.is_recorded(path) and (file := _sound(path, sha256)):
            return file
    return None


def _sound(path: Path, sha256: str | None) -> storage.SoundFile | None:
    file = storage.read_sound_file(path)
    return file if file and sha256 in (None, file.sha256) else None


class Finder:
    """Finds the files of many images. Each folder is listed once."""

    def __init__(self) -> None:
        self._images_dir = current_roots().images
        self._taken = fileless.list_places()
        self._names = cache(storage.list_names)

    def take_all(self, images: Iterable[Fileless]) -> int:
        """Let images without a file take theirs. Returns how many did."""
        count = sum(1 for image in images if self.take(image))
        if count:
            log.info("%s files were found at the places of images without a file", count)
        return count

    def take(self, image: Fileless) -> bool:
        file = self._find(image)
        if file is None:
            return False
        size = {"width": file.width, "height": file.height}
        is_taken = fileless.take_file(
            image, file.path, size_bytes=file.size_bytes, sha256=file.sha256, **size
        )
        if is_taken:
            storage.set_made_time(file.path, image.created_at)
        self._taken.add(current_roots().place_of(file.path))
        return is_taken

    def _find(self, image: Fileless) -> storage.SoundFile | None:
        stems = storage.file_stems(image.media_key, image.name, has_plain_name=image.has_plain_name)
        for folder in self._folders(image):
            for path in storage.candidates(folder, stems, self._names(folder)):
                place = current_roots().place_of(path)
                is_free = place not in self._taken and not is_absolute(place.local_path)
                if is_free and (file := _sound(path, image.sha256)):
                    return file
        return None

    def _folders(self, image: Fileless) -> Iterable[Path]:
        """Where the file may be: where it was, where its last download put it, or with its profile."""
        was, asked = image.file_path, image.folder
        folders = [was.parent] if was else []
        folders += [Path(asked)] if asked else []
        return dict.fromkeys([*folders, self._images_dir / image.profile_id])


def take_found_files(roots: Sequence[Path]) -> int:
    """Let every image whose file is not there take its own, where one lies. Returns how many did."""
    finder = Finder()
    missing = (image for image in fileless.list_with_path() if _is_missing(image, roots))
    return finder.take_all(missing) + finder.take_all(fileless.list_without_path())


def _is_missing(image: Fileless, roots: Sequence[Path]) -> bool:
    try:
        return not storage.is_there(str(image.file_path), roots)
    except FolderGone:
        return False
