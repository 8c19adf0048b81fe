"""Images taken over from the Electron predecessor, with their files."""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from webapp.database.models import Image
from webapp.store import chunked
from webapp.times import now

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def find_known(names: Sequence[str]) -> dict[str, Image]:
    """The stored images with these names, of any profile."""
    found = [image for chunk in chunked(names) for image in Image.select().where(Image.name.in_(chunk))]
    return {image.name: image for image in found}


def add_images(rows: Sequence[dict[str, Any]]) -> None:
    """Insert images. Each keeps its `id` when that is a plain one and not taken; others get a new one."""
    ids = [row["id"] for row in rows if _PLAIN_ID.fullmatch(row["id"])]
    taken: set[str] = set()
    for chunk in chunked(ids):
        taken.update(Image.select(Image.id).where(Image.id.in_(chunk)).scalars())
    free = set(ids) - taken
    moment = now()
    for row in rows:
        row |= {"id": row["id"] if row["id"] in free else secrets.token_hex(16), "stored_at": moment}
        free.discard(row["id"])
    for chunk_of_rows in chunked(rows):
        Image.insert_many(chunk_of_rows).execute()


def add_file(image: Image, columns: Mapping[str, Any]) -> None:
    """Set the file columns of an image, unless it got a file meanwhile."""
    Image.update(**columns).where(Image.id == image.id, Image.local_path.is_null()).execute()


def has_plain_name(name: str, media_key: str) -> bool:
    """Whether no other image has the same media key, ignoring case: then its file can be named after it."""
    same_key = Image.media_key.collate("NOCASE") == media_key
    return not Image.select().where(same_key, Image.name != name).exists()
