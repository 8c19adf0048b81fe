"""Images whose files were not downloaded: a person had them, and Flowshelf took them over."""

from collections.abc import Sequence
from pathlib import Path

from webapp.database.models import Image
from webapp.store import chunked, transaction
from webapp.store.roots import place_columns
from webapp.times import now


def list_by_keys(keys: Sequence[str]) -> list[Image]:
    """The images, of any profile, whose media key or name is one of `keys`."""
    found: dict[str, Image] = {}
    for chunk in chunked(list(keys)):
        has_key = Image.media_key.in_(chunk) | Image.name.in_(chunk)
        found |= {image.id: image for image in Image.select().where(has_key)}
    return list(found.values())


def adopt_file(image: Image, path: Path, *, size_bytes: int, sha256: str) -> bool:
    """Record a file as that of an image; False when the row was given another one meanwhile.

    An image that has its file is no longer “not wanted”. Width and height stay: the file agrees with them.
    The caller then sets the time of the file.
    """
    moment = now()
    columns = {
        **place_columns(path),
        "size_bytes": size_bytes,
        "sha256": sha256,
        "downloaded_at": moment,
        "adopted_at": moment,
        "file_time_at": moment,
        "damaged_at": None,
        "changed_sha256": None,
        "not_wanted_at": None,
    }
    before = Image.local_path.is_null() if image.local_path is None else Image.local_path == image.local_path
    with transaction():
        return bool(Image.update(**columns).where(Image.id == image.id, before).execute())
