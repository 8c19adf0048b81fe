"""What is stored of a history page, in one transaction, and what the end of a full walk says of images
that it did not meet."""

import json
import secrets
import time
from collections import namedtuple
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from peewee import fn

from webapp.errors import UnknownRun
from webapp.models import Image, Project, Run, Walk, db
from webapp.sources import HistoryPage, RemoteImage, RemoteProject
from webapp.states import Step
from webapp.store import chunked, transaction
from webapp.store.histories import advance_walk, note_answer
from webapp.store.projects import note_project, unread_by
from webapp.times import now


@dataclass(frozen=True, slots=True)
class Unseen:
    """How many images of the shelf a full walk did not meet, and whether they were marked as gone."""

    count: int = 0
    was_marked: bool = False


# What a sync takes over from a fresher answer where the row has nothing yet (rule 10).
LEARNED_FIELDS = ("aspect_ratio", "kind", "prompt", "model_name", "seed", "version")
# What a person may have changed there meanwhile, and addresses that expire.
FRESH_FIELDS = ("fife_url", "title", "is_archived", "project_id")


# A row that the profile has of an image, as far as a page may concern it.
Known = namedtuple("Known", ("id", "name", "media_key", "stored_walk_id", *LEARNED_FIELDS, *FRESH_FIELDS))

# As text, because for each page peewee takes longer to write these than SQLite to answer them.
# The plus keeps SQLite from reading all rows of the profile instead of those of the names and keys.
_FIND_KNOWN = f"""SELECT {", ".join(Known._fields)} FROM veo3_image_generations
    WHERE (name IN (SELECT value FROM json_each(:names)) OR media_key IN (SELECT value FROM json_each(:keys)))
    AND +profile_id = :profile_id"""
_SEE_AGAIN = """UPDATE veo3_image_generations SET history = :history, gone_upstream_at = NULL,
    seen_walk_id = MAX(COALESCE(seen_walk_id, 0), :walk_id) WHERE id IN (SELECT value FROM json_each(:ids))"""
_COUNT_PAGE = """UPDATE run SET page_count = page_count + 1, history_page_count = history_page_count + 1,
    synced_count = synced_count + :synced, skipped_count = skipped_count + :skipped,
    ignored_count = ignored_count + :ignored, last_cursor = :cursor WHERE id = :run_id"""


# Storing a page


def list_known(profile_id: str, images: Sequence[RemoteImage]) -> list[Known]:
    """What the profile has of `images`, by their names or by their media keys."""
    names, keys = [image.name for image in images], [image.media_key for image in images]
    asked = {"profile_id": profile_id, "names": json.dumps(names), "keys": json.dumps(keys)}
    return [Known._make(row) for row in db.execute_sql(_FIND_KNOWN, asked).fetchall()]


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


def save_page(
    run: Run, walk: Walk, page: HistoryPage, known: list[Known], step: Step, *, is_last: bool
) -> Unseen:
    """Store a page, its counts, and where the walk and its gap stand now, also in `run` and `walk`.

    Call it in the transaction in which `known` was listed: all of it is stored or nothing. The last page of
    a full walk marks what the walk has not seen as gone upstream. Raises UnknownRun when the profile was
    removed meanwhile.
    """
    rows_by_name = {row.name: row for row in known}
    new = [image for image in page.images if image.name not in rows_by_name]
    synced_count = _add_images(run, walk, new)
    _count_page(run, page, synced_count)
    _refresh_images(walk, page.images, rows_by_name)
    advance_walk(walk, page, step, is_last=is_last)
    if page.project:
        note_project(walk, page.project)
    note_answer(walk, is_complete=step is not Step.ON)
    return _mark_unseen(walk) if walk.is_full and step is Step.END else Unseen()


def _count_page(run: Run, page: HistoryPage, synced_count: int) -> None:
    counted = {
        "run_id": run.id,
        "synced": synced_count,
        "skipped": len(page.images) - synced_count,
        "ignored": page.ignored_count,
        "cursor": page.next_cursor,
    }
    if not db.execute_sql(_COUNT_PAGE, counted).rowcount:
        raise UnknownRun("The profile was removed while its history was read.")
    run.history_page_count += 1


def _add_images(run: Run, walk: Walk, images: list[RemoteImage]) -> int:
    """Insert what is new and return how many that were; a name that another row has is left as it is."""
    moment, count = now(), 0
    for piece in chunked([_image_row(run, walk, image, moment) for image in images]):
        # One statement for all, because at the end of each the word index writes down what it has.
        rows = ", ".join([f"({', '.join('?' * len(piece[0]))})"] * len(piece))
        insert = f"INSERT INTO veo3_image_generations ({', '.join(piece[0])}) VALUES {rows}"
        values = [value for row in piece for value in row.values()]
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
    seen = {}
    for image in images:
        row = rows_by_name.get(image.name)
        if row is None or row.stored_walk_id == walk.id:
            continue
        seen[row.id] = image, row
    for image, row in seen.values():
        if learned := _learned(row, image):
            changes = ", ".join(f"{field} = :{field}" for field in learned)
            db.execute_sql(
                f"UPDATE veo3_image_generations SET {changes} WHERE id = :id", learned | {"id": row.id}
            )
    if seen:
        again = {"walk_id": walk.id, "history": walk.history, "ids": json.dumps(list(seen))}
        db.execute_sql(_SEE_AGAIN, again)


def _learned(row: Known, image: RemoteImage) -> dict:
    lacking = [field for field in LEARNED_FIELDS if getattr(row, field) is None]
    answered = {field: getattr(image, field) for field in (*lacking, *FRESH_FIELDS)}
    return {
        field: value
        for field, value in answered.items()
        if value is not None and value != getattr(row, field)
    }


# Gone upstream


def list_missed_projects(walk: Walk) -> list[RemoteProject]:
    """Projects of images that a full walk has not seen, because it did not read them either: the listing
    may have shown them elsewhere meanwhile, or shows them no longer."""
    of_unseen = Image.select(Image.project_id).where(_not_seen(walk))
    missed = unread_by(walk).where(Project.remote_id.in_(of_unseen)).order_by(Project.id)
    return [RemoteProject(project.remote_id, project.title, project.listed_at) for project in missed]


def _mark_unseen(walk: Walk) -> Unseen:
    """When what was not seen is more than a tenth of the history's images, nothing is marked and a
    person is asked."""
    unseen = _unseen(walk)
    count = Image.select().where(unseen).count()
    total = Image.select().where(Image.profile_id == walk.profile_id, Image.history == walk.history).count()
    if count * 10 > total:
        Walk.update(unseen_count=count).where(Walk.id == walk.id).execute()
        return Unseen(count, was_marked=False)
    Image.update(gone_upstream_at=now()).where(unseen).execute()
    return Unseen(count, was_marked=True)


def answer_question(walk_id: int, *, mark: bool) -> Unseen:
    """A person's answer to what the end of a full walk left open; what the question had counted."""
    with transaction():
        walk = Walk.get_or_none(Walk.id == walk_id, Walk.unseen_count > 0)
        if walk is None:
            return Unseen()
        if mark:
            Image.update(gone_upstream_at=now()).where(_unseen(walk)).execute()
        Walk.update(unseen_count=0).where(Walk.id == walk_id).execute()
        return Unseen(walk.unseen_count, was_marked=mark)


def _unseen(walk: Walk):
    """What a walk has not seen although it read all of the history, or the project that it stood in."""
    elsewhere = unread_by(walk).select(Project.remote_id)
    return _not_seen(walk) & (Image.project_id.is_null() | Image.project_id.not_in(elsewhere))


def _not_seen(walk: Walk):
    return (
        (Image.profile_id == walk.profile_id)
        & (Image.history == walk.history)
        & Image.gone_upstream_at.is_null()
        & (fn.COALESCE(Image.stored_walk_id, 0) < walk.id)
        & (fn.COALESCE(Image.seen_walk_id, 0) < walk.id)
    )
