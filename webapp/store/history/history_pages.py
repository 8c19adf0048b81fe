"""Stores the images of one history page.

The SQL here is written by hand: each statement runs once per history page or once for all of its images, and
peewee takes longer to build such a statement than SQLite to run it (benchmark `metadata`, history pages per
second, which misses its target).
"""

import json
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, NamedTuple

from webapp.database.base import db
from webapp.database.models import Run, Walk
from webapp.errors import RunEnded
from webapp.sources import HistoryPage, Reason, RemoteImage
from webapp.sources.signed_urls import expires_at
from webapp.store import chunked
from webapp.times import now

# A sync fills these in where a known image lacks them (rule 10).
FILLED_FIELDS = ("aspect_ratio", "kind", "prompt", "model_name", "seed", "version", "width", "height")
# A sync always takes these over: a person may have changed them in Flow, and URLs expire.
FRESH_FIELDS = ("fife_url", "title", "is_archived", "project_id")


class KnownImage(NamedTuple):
    """The columns of a stored image that are compared with a page. `_FIND_KNOWN` selects exactly these
    fields."""

    id: str
    profile_id: str
    name: str
    media_key: str
    stored_walk_id: int | None
    seen_walk_id: int | None
    aspect_ratio: str | None
    kind: str | None
    prompt: str | None
    model_name: str | None
    seed: int | None
    version: str | None
    width: int | None
    height: int | None
    fife_url: str | None
    title: str | None
    is_archived: bool | None
    project_id: str | None


_FIND_KNOWN = f"""SELECT {", ".join(KnownImage._fields)} FROM veo3_image_generations
    WHERE name IN (SELECT value FROM json_each(:names))
    OR media_key IN (SELECT value FROM json_each(:keys))"""
_SEE_AGAIN = """UPDATE veo3_image_generations SET history = :history, gone_upstream_at = NULL,
    seen_walk_id = MAX(COALESCE(seen_walk_id, 0), :walk_id) WHERE id IN (SELECT value FROM json_each(:ids))"""
# The plus keeps SQLite from using the index on profile_id, and so from reading all images of the profile.
_SEE_NAMES = """UPDATE veo3_image_generations SET gone_upstream_at = NULL,
    seen_walk_id = MAX(COALESCE(seen_walk_id, 0), :walk_id) WHERE +profile_id = :profile_id
    AND (name IN (SELECT value FROM json_each(:names))
        OR media_key IN (SELECT value FROM json_each(:names)))"""
_COUNT_PAGE = """UPDATE run SET page_count = page_count + 1, history_page_count = history_page_count + 1,
    synced_count = synced_count + :synced, skipped_count = skipped_count + :skipped,
    ignored_count = ignored_count + :ignored, ignored_reasons = :reasons,
    sample = COALESCE(sample, :sample), last_cursor = :cursor
    WHERE id = :run_id AND state = 'running'"""


@dataclass(frozen=True, slots=True)
class KnownImages:
    """The stored images that a page shows: those of its profile, and those of other profiles."""

    own: list[KnownImage]
    others: list[KnownImage]


def list_known(profile_id: str, images: Sequence[RemoteImage]) -> KnownImages:
    """The stored images with the name or the media key of one of `images`."""
    names, keys = [image.name for image in images], [image.media_key for image in images]
    parameters = {"names": json.dumps(names), "keys": json.dumps(keys)}
    rows = [KnownImage._make(row) for row in db.execute_sql(_FIND_KNOWN, parameters).fetchall()]
    own = [row for row in rows if row.profile_id == profile_id]
    return KnownImages(own, [row for row in rows if row.profile_id != profile_id])


# Preparing a page


def names_of_others(page: HistoryPage, known: KnownImages) -> set[str]:
    """The names of images of a page that only another profile has."""
    own = {key for row in known.own for key in (row.name, row.media_key)}
    others = {key for row in known.others for key in (row.name, row.media_key)} - own
    return {image.name for image in page.images if others & {image.name, image.media_key}}


def without_others(page: HistoryPage, known: KnownImages) -> HistoryPage:
    """A page without the images that another profile has. They are counted as ignored (rule 10)."""
    others = names_of_others(page, known)
    if not others:
        return page
    remaining = tuple(image for image in page.images if image.name not in others)
    ignored = Counter(page.ignored) + Counter({Reason.OTHER_PROFILE: len(page.images) - len(remaining)})
    return replace(page, images=remaining, ignored=ignored)


def under_known_names(page: HistoryPage, known: Sequence[KnownImage]) -> HistoryPage:
    """A page whose images have the names under which they are stored.

    One service names an image by its media key, the other gives it a separate name. After an account has
    moved, the same image therefore comes under the other name.
    """
    names = {row.media_key: row.name for row in known}
    return replace(page, images=tuple(_under_known_name(image, names) for image in page.images))


def _under_known_name(image: RemoteImage, names: Mapping[str, str]) -> RemoteImage:
    known = names.get(image.media_key, image.name)
    is_of_other_service = known != image.name and image.media_key in (image.name, known)
    return replace(image, name=known) if is_of_other_service else image


# Storing a page


def save_page(run: Run, walk: Walk, page: HistoryPage, known: Sequence[KnownImage]) -> None:
    """Store the images of a page and add to the counts of the run, in the database and in `run`.

    Call it in the transaction in which `known` was listed, so that no other thread stores one of these images
    in between. Raises RunEnded when the run was paused or its profile removed meanwhile; the transaction then
    stores nothing of the page.
    """
    known_by_name = {row.name: row for row in known}
    new = [image for image in page.images if image.name not in known_by_name]
    synced_count = _add_images(run, walk, new)
    again_count = _count_seen_before(walk, page.images, known_by_name) if page.project else 0
    _count_page(run, page, synced_count, len(page.images) - synced_count - again_count)
    _refresh_images(walk, page.images, known_by_name)
    _see_names(walk, page)


def _count_seen_before(
    walk: Walk, images: Iterable[RemoteImage], known_by_name: Mapping[str, KnownImage]
) -> int:
    """How many images this walk has seen before: each counts once, however many projects show it."""
    rows = (known_by_name.get(image.name) for image in images)
    return sum(1 for row in rows if row and walk.id in (row.stored_walk_id, row.seen_walk_id))


def _count_page(run: Run, page: HistoryPage, synced_count: int, skipped_count: int) -> None:
    reasons = json.dumps(Counter(run.ignored_by_reason) + Counter(page.ignored))
    counts = {
        "run_id": run.id,
        "synced": synced_count,
        "skipped": skipped_count,
        "ignored": page.ignored_count,
        "reasons": reasons,
        "sample": page.sample or None,
        "cursor": page.next_cursor,
    }
    # The statement only changes a running run: whoever paused it keeps the page from being stored.
    if not db.execute_sql(_COUNT_PAGE, counts).rowcount:
        raise RunEnded("The sync was paused, or its profile was removed, while this page was read.")
    run.history_page_count += 1
    run.ignored_reasons = reasons


def _add_images(run: Run, walk: Walk, images: Iterable[RemoteImage]) -> int:
    """Insert images and return how many were inserted. A name that is taken meanwhile is left as it is."""
    moment, count = now(), 0
    for chunk in chunked([_image_row(run, walk, image, moment) for image in images]):
        # One statement for all images, because the full-text index flushes its segment after each statement.
        rows = ", ".join([f"({', '.join('?' * len(chunk[0]))})"] * len(chunk))
        insert = f"INSERT INTO veo3_image_generations ({', '.join(chunk[0])}) VALUES {rows}"
        values = [value for row in chunk for value in row.values()]
        count += db.execute_sql(f"{insert} ON CONFLICT DO NOTHING", values).rowcount
    return count


def _image_row(run: Run, walk: Walk, image: RemoteImage, moment: str) -> dict[str, Any]:
    """The columns that a sync writes for a new image; those of its file are not among them.

    An image without a time takes that of the entry above it, otherwise that of the sync.
    """
    return {
        # Ids begin with the time, so that images that are stored together are neighbours in the index of ids.
        "id": f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}",
        "profile_id": run.profile_id,
        "name": image.name,
        "workflow_id": image.workflow_id,
        "media_key": image.media_key,
        "created_at": image.created_at or walk.last_created_at or moment,
        "history": walk.history,
        "stored_at": moment,
        "stored_walk_id": walk.id,
        "seen_walk_id": walk.id,
        "stored_run_id": run.id,
        **{field: getattr(image, field) for field in (*FILLED_FIELDS, *FRESH_FIELDS)},
        "title": image.title or image.caption,
    }


def _refresh_images(
    walk: Walk, images: Iterable[RemoteImage], known_by_name: Mapping[str, KnownImage]
) -> None:
    """Mark known images as seen and not gone, and copy values that are missing in the row or fresher on the
    page."""
    pairs = ((image, known_by_name[image.name]) for image in images if image.name in known_by_name)
    seen = {row.id: (image, row) for image, row in pairs}
    for image, row in seen.values():
        if changes := _changes(row, image):
            assignments = ", ".join(f"{field} = :{field}" for field in changes)
            db.execute_sql(
                f"UPDATE veo3_image_generations SET {assignments} WHERE id = :id", changes | {"id": row.id}
            )
    if seen:
        parameters = {"walk_id": walk.id, "history": walk.history, "ids": json.dumps(list(seen))}
        db.execute_sql(_SEE_AGAIN, parameters)


def _see_names(walk: Walk, page: HistoryPage) -> None:
    """Mark stored images as seen although their entries on this page were unusable: unfinished, malformed or
    of an unknown kind (rule 13)."""
    usable = {image.name for image in page.images} | {image.media_key for image in page.images}
    if names := [name for name in page.names if name not in usable]:
        parameters = {"walk_id": walk.id, "profile_id": walk.profile_id, "names": json.dumps(names)}
        db.execute_sql(_SEE_NAMES, parameters)


def _changes(row: KnownImage, image: RemoteImage) -> dict[str, Any]:
    """The columns of a known image to update. An ingredient only fills in what is missing (rule 12)."""
    filled = (*FILLED_FIELDS, *FRESH_FIELDS) if image.is_ingredient else FILLED_FIELDS
    fields = [field for field in filled if getattr(row, field) is None]
    if not image.is_ingredient:
        fields += FRESH_FIELDS
    values = {field: getattr(image, field) for field in fields}
    if row.title is None and image.title is None:
        values["title"] = image.caption
    if _is_renewed(row.fife_url) and image.fife_url and expires_at(image.fife_url) == inf:
        values.pop("fife_url", None)
    return {
        field: value for field, value in values.items() if value is not None and value != getattr(row, field)
    }


def _is_renewed(url: str | None) -> bool:
    """Whether a preview URL is a signed one that is still valid.

    A listing may show an unsigned URL of a host that needs cookies; if that replaced the signed one, the
    preview would have to be renewed after every sync.
    """
    return url is not None and time.time() < expires_at(url) < inf
