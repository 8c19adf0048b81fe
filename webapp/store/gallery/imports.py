"""Images of the Electron program that are taken over, with their files."""

import re
import secrets

from peewee import SQL

from webapp.database.models import Image
from webapp.store import chunked
from webapp.times import now

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def find_known(names: list[str]) -> dict[str, Image]:
    """The images of these names that are on the shelf, whosever they are."""
    found = [image for chunk in chunked(names) for image in Image.select().where(Image.name.in_(chunk))]
    return {image.name: image for image in found}


def add_images(rows: list[dict]) -> None:
    """Add images that are new to the shelf. Each keeps its id when that is a plain one that is free."""
    ids = [row["id"] for row in rows if _PLAIN_ID.fullmatch(row["id"])]
    taken = {
        id_ for chunk in chunked(ids) for (id_,) in Image.select(Image.id).where(Image.id.in_(chunk)).tuples()
    }
    free = set(ids) - taken
    moment = now()
    for row in rows:
        row |= {"id": row["id"] if row["id"] in free else secrets.token_hex(16), "stored_at": moment}
        free.discard(row["id"])
    for chunk in chunked(rows):
        Image.insert_many(chunk).execute()


def take_file(image: Image, file: dict) -> None:
    """Give an image that has no file yet its file."""
    Image.update(**file).where(Image.id == image.id, Image.local_path.is_null()).execute()


def has_plain_name(name: str, media_key: str) -> bool:
    """Whether no other image has the same media key, compared without case."""
    same_key = SQL("media_key = ? COLLATE NOCASE", [media_key])
    return not Image.select().where(same_key, Image.name != name).exists()
