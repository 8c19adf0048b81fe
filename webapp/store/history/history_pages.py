"""What is stored of the images of one history page."""

import json
import secrets
import time
from collections import Counter, namedtuple
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from webapp.database.models import Run, Walk, db
from webapp.errors import RunEnded
from webapp.sources import HistoryPage, Reason, RemoteImage
from webapp.sources.signed_urls import expires_at
from webapp.store import chunked
from webapp.times import now

# What a sync takes over from a fresher answer where the row has nothing yet (rule 10).
LEARNED_FIELDS = ("aspect_ratio", "kind", "prompt", "model_name", "seed", "version", "width", "height")
# What a person may have changed there meanwhile, and URLs that expire.
FRESH_FIELDS = ("fife_url", "title", "is_archived", "project_id")


# A row of an image, as far as a page may concern it.
Known = namedtuple(
    "Known",
    (
        "id",
        "profile_id",
        "name",
        "media_key",
        "stored_walk_id",
        "seen_walk_id",
        *LEARNED_FIELDS,
        *FRESH_FIELDS,
    ),
)

# As text, because for each page peewee takes longer to write these than SQLite to answer them.
_FIND_KNOWN = f"""SELECT {", ".join(Known._fields)} FROM veo3_image_generations
    WHERE name IN (SELECT value FROM json_each(:names))
    OR media_key IN (SELECT value FROM json_each(:keys))"""
_SEE_AGAIN = """UPDATE veo3_image_generations SET history = :history, gone_upstream_at = NULL,
    seen_walk_id = MAX(COALESCE(seen_walk_id, 0), :walk_id) WHERE id IN (SELECT value FROM json_each(:ids))"""
# The plus keeps SQLite from reading all rows of the profile instead of those of the names.
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
class OnShelf:
    """What the shelf has of the images of a page: rows of the profile, and rows of other profiles."""

    own: list[Known]
    others: list[Known]


# Storing a page


def list_known(profile_id: str, images: Sequence[RemoteImage]) -> OnShelf:
    """What the shelf has of `images`, by their names or by their media keys."""
    names, keys = [image.name for image in images], [image.media_key for image in images]
    asked = {"names": json.dumps(names), "keys": json.dumps(keys)}
    rows = [Known._make(row) for row in db.execute_sql(_FIND_KNOWN, asked).fetchall()]
    own = [row for row in rows if row.profile_id == profile_id]
    return OnShelf(own, [row for row in rows if row.profile_id != profile_id])


def names_of_others(page: HistoryPage, on_shelf: OnShelf) -> set[str]:
    """The names of images of a page that only another profile has."""
    own = {key for row in on_shelf.own for key in (row.name, row.media_key)}
    others = {key for row in on_shelf.others for key in (row.name, row.media_key)} - own
    return {image.name for image in page.images if others & {image.name, image.media_key}}


def without_others(page: HistoryPage, on_shelf: OnShelf) -> HistoryPage:
    """A page without the images that another profile has: they stay that profile's rows, and are counted."""
    others = names_of_others(page, on_shelf)
    if not others:
        return page
    kept = tuple(image for image in page.images if image.name not in others)
    ignored = Counter(page.ignored) + Counter({Reason.OTHER_PROFILE: len(page.images) - len(kept)})
    return replace(page, images=kept, ignored=ignored)


def under_known_names(page: HistoryPage, known: list[Known]) -> HistoryPage:
    """A page whose images bear the names under which the profile has them by their media keys.

    Of the two services one calls an image by its media key, and the other by a name of its own.
    """
    names = {row.media_key: row.name for row in known}
    return replace(page, images=tuple(_under_known_name(image, names) for image in page.images))


def _under_known_name(image: RemoteImage, names: dict[str, str]) -> RemoteImage:
    known = names.get(image.media_key, image.name)
    is_of_other_service = known != image.name and image.media_key in (image.name, known)
    return replace(image, name=known) if is_of_other_service else image


def save_page(run: Run, walk: Walk, page: HistoryPage, known: list[Known]) -> None:
    """Store the images of a page and count them, also in `run`.

    Call it in the transaction in which `known` was listed. Raises RunEnded when the run was paused meanwhile
    or its profile removed: then nothing of the page is stored.
    """
    rows_by_name = {row.name: row for row in known}
    new = [image for image in page.images if image.name not in rows_by_name]
    synced_count = _add_images(run, walk, new)
    again_count = _count_visited_again(walk, page.images, rows_by_name) if page.project else 0
    _count_page(run, page, synced_count, len(page.images) - synced_count - again_count)
    _refresh_images(walk, page.images, rows_by_name)
    _see_names(walk, page)


def _count_visited_again(walk: Walk, images: Iterable[RemoteImage], rows_by_name: dict[str, Known]) -> int:
    """Images that this walk has met before: one counts once, however many projects show it."""
    visited = (rows_by_name.get(image.name) for image in images)
    return sum(1 for row in visited if row and walk.id in (row.stored_walk_id, row.seen_walk_id))


def _count_page(run: Run, page: HistoryPage, synced_count: int, skipped_count: int) -> None:
    reasons = Counter(json.loads(run.ignored_reasons)) + Counter(page.ignored)
    counted = {
        "run_id": run.id,
        "synced": synced_count,
        "skipped": skipped_count,
        "ignored": page.ignored_count,
        "reasons": json.dumps(reasons),
        "sample": page.sample or None,
        "cursor": page.next_cursor,
    }
    if not db.execute_sql(_COUNT_PAGE, counted).rowcount:
        raise RunEnded("The sync was paused, or its profile removed, while this page was read.")
    run.history_page_count += 1
    run.ignored_reasons = counted["reasons"]


def _add_images(run: Run, walk: Walk, images: list[RemoteImage]) -> int:
    """Insert what is new and return how many that were; a name that another row has is left as it is."""
    moment, count = now(), 0
    for chunk in chunked([_image_row(run, walk, image, moment) for image in images]):
        # One statement for all, because at the end of each the word index writes down what it has.
        rows = ", ".join([f"({', '.join('?' * len(chunk[0]))})"] * len(chunk))
        insert = f"INSERT INTO veo3_image_generations ({', '.join(chunk[0])}) VALUES {rows}"
        values = [value for row in chunk for value in row.values()]
        count += db.execute_sql(f"{insert} ON CONFLICT DO NOTHING", values).rowcount
    return count


def _image_row(run: Run, walk: Walk, image: RemoteImage, moment: str) -> dict:
    """All columns that a sync may write for a new image; nothing of its file is among them.

    An image without a time takes that of the entry above it, else that of the sync.
    """
    return {
        # Begun by the time: what is stored together then lies together in the index of ids.
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
    } | {field: getattr(image, field) for field in (*LEARNED_FIELDS, *FRESH_FIELDS)}


def _refresh_images(walk: Walk, images: Iterable[RemoteImage], rows_by_name: dict[str, Known]) -> None:
    """Known images: seen again, not gone, and what the answer knows better than the row."""
    known = ((image, rows_by_name[image.name]) for image in images if image.name in rows_by_name)
    seen = {row.id: (image, row) for image, row in known}
    for image, row in seen.values():
        if learned := _learned(row, image):
            changes = ", ".join(f"{field} = :{field}" for field in learned)
            db.execute_sql(
                f"UPDATE veo3_image_generations SET {changes} WHERE id = :id", learned | {"id": row.id}
            )
    if seen:
        again = {"walk_id": walk.id, "history": walk.history, "ids": json.dumps(list(seen))}
        db.execute_sql(_SEE_AGAIN, again)


def _see_names(walk: Walk, page: HistoryPage) -> None:
    """What a page shows counts as met, also where its record is running, odd or of an unknown kind."""
    kept = {image.name for image in page.images} | {image.media_key for image in page.images}
    if names := [name for name in page.names if name not in kept]:
        shown = {"walk_id": walk.id, "profile_id": walk.profile_id, "names": json.dumps(names)}
        db.execute_sql(_SEE_NAMES, shown)


def _learned(row: Known, image: RemoteImage) -> dict:
    lacking = [field for field in LEARNED_FIELDS if getattr(row, field) is None]
    if image.is_ingredient:  # what its own project says of an image counts for more
        lacking += [field for field in FRESH_FIELDS if getattr(row, field) is None]
    fields = lacking if image.is_ingredient else (*lacking, *FRESH_FIELDS)
    answered = {field: getattr(image, field) for field in fields}
    if _is_renewed(row.fife_url) and image.fife_url and expires_at(image.fife_url) == inf:
        answered.pop("fife_url", None)
    return {
        field: value
        for field, value in answered.items()
        if value is not None and value != getattr(row, field)
    }


def _is_renewed(url: str | None) -> bool:
    """Whether a signed URL that was asked for is still good: the one in a listing may be of a host that does
    not answer without cookies, and would have to be renewed again after each sync."""
    return url is not None and time.time() < expires_at(url) < inf
