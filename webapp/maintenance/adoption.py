"""Takes over files that a person downloaded by hand or with another tool.

A file finds its image by the media key or asset id in its name. It is taken if it is a whole picture of the
width and height that Flow told of the image. It is copied like a download: first under a free name, and then
it is recorded. The file that it was copied from stays as it is.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from webapp import storage
from webapp.database.models import Image
from webapp.errors import BadPicture, FolderGone
from webapp.maintenance.importing import reason_of
from webapp.store import imports
from webapp.store.gallery import adopted

MAX_FILE_BYTES = 64 * 1024 * 1024
# Shorter parts of a name are words and numbers.
MIN_KEY_LENGTH = 8
MAX_KEYS = 2_000
_RUN = re.compile(r"[A-Za-z0-9_-]+")

NO_IMAGE = "Its name has no media key or asset id of an image on this shelf."
SEVERAL = "Several images have the key in its name."
HAS_FILE = "The image has its file already."
NO_SIZE = (
    "Flow did not tell how large the image is, so nothing shows that this file is the original. Download it."
)
TOO_LARGE = f"It is larger than {MAX_FILE_BYTES // 1024**2} MB."


class Outcome(StrEnum):
    """What became of a file. KNOWN: its image has a file already. LEFT: it was not taken."""

    ADOPTED = "adopted"
    KNOWN = "known"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Result:
    """`file` is the name of the file as it was sent, `reason` says why it was not taken."""

    file: str
    outcome: Outcome
    reason: str | None = None
    image_id: str | None = None


def keys_in(file_name: str) -> list[str]:
    """What may be a media key or an asset id in the name of a file, the longest first.

    A key may contain `-` and `_`, and programs put the same between it and a title or a number. So every part
    between two of these signs is one, with and without the signs at its ends.
    """
    stem = file_name.rpartition(".")[0] or file_name
    keys = {stem}
    for run in _RUN.findall(stem):
        signs = [at for at, letter in enumerate(run) if letter in "-_"]
        starts = {0, *signs, *(at + 1 for at in signs)}
        ends = {len(run), *signs, *(at + 1 for at in signs)}
        keys |= {run[start:end] for start in starts for end in ends if end - start >= MIN_KEY_LENGTH}
    keys |= {key.lower() for key in keys}  # an asset id is a UUID, which some programs write in capitals
    return sorted(keys, key=lambda key: (-len(key), key))[:MAX_KEYS]


def adopt(file_name: str, content: bytes, images_dir: Path, roots: Sequence[Path]) -> Result:
    """Take over a file. `images_dir` holds the folders of the profiles. Raises DiskFull or FolderGone."""
    if len(content) > MAX_FILE_BYTES:
        return Result(file_name, Outcome.LEFT, TOO_LARGE)
    found = _find_images(file_name)
    if not found:
        return Result(file_name, Outcome.LEFT, NO_IMAGE)
    lacking = [image for image in found if not _has_file(image, roots)]
    if not lacking:
        return Result(file_name, Outcome.KNOWN, HAS_FILE, found[0].id)
    try:
        header = storage.read_header(content)
    except BadPicture as error:
        return Result(file_name, Outcome.LEFT, reason_of(error), lacking[0].id)
    fitting = [image for image in lacking if (image.width, image.height) == (header.width, header.height)]
    if len(fitting) != 1:
        return Result(file_name, Outcome.LEFT, _misfit(lacking, fitting, header), lacking[0].id)
    return _take(file_name, content, header.suffix, fitting[0], images_dir, roots)


def _find_images(file_name: str) -> list[Image]:
    """The images that the longest key in the name belongs to; usually one."""
    keys = keys_in(file_name)
    images = adopted.list_by_keys(keys)
    for key in keys:
        if found := [image for image in images if key in (image.media_key, image.name)]:
            return found
    return []


def _has_file(image: Image, roots: Iterable[Path]) -> bool:
    """Whether a file is recorded and may exist: on a disk that is disconnected it does."""
    if image.file_path is None:
        return False
    try:
        return storage.is_there(image.file_path, roots)
    except FolderGone:
        return True


def _misfit(lacking: Sequence[Image], fitting: Sequence[Image], header: storage.PictureHeader) -> str:
    if fitting or len(lacking) > 1:
        return SEVERAL
    image = lacking[0]
    if not (image.width and image.height):
        return NO_SIZE
    return (
        f"It has {header.width} × {header.height} pixels, and the image {image.width} × {image.height}: it "
        "is not the original."
    )


def _take(
    file_name: str, content: bytes, suffix: str, image: Image, images_dir: Path, roots: Sequence[Path]
) -> Result:
    folder = images_dir / image.profile_id
    storage.make_folder(folder, roots)
    is_plain = imports.has_plain_name(image.name, image.media_key)
    stems = storage.file_stems(image.media_key, image.name, has_plain_name=is_plain)
    path = storage.save_file(folder, stems, suffix, content)
    # The file first, then the row: killed in between, `verify` finds the file at its place.
    digest = hashlib.sha256(content).hexdigest()
    if not adopted.adopt_file(image, path, size_bytes=len(content), sha256=digest):
        return Result(file_name, Outcome.KNOWN, HAS_FILE, image.id)
    storage.set_made_time(path, image.created_at)  # last, as after a download
    return Result(file_name, Outcome.ADOPTED, None, image.id)
