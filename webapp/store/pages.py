"""The one transaction that stores a history page, and what the end of a full walk says of images
that it did not meet."""

import secrets
from dataclasses import dataclass, replace

from peewee import fn

from webapp.errors import UnknownRun
from webapp.models import Gap, History, Image, Project, Run, Walk, db
from webapp.sources import HistoryPage, RemoteImage, RemoteProject
from webapp.states import Step
from webapp.store import chunked, transaction
from webapp.store.histories import advance_walk, gap_of, history_row
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


# Storing a page


def save_page(run: Run, walk: Walk, page: HistoryPage, step: Step, *, is_last: bool) -> Unseen:
    """Store a page, its counts, and where the walk and its gap stand now: all of it or nothing.

    The last page of a full walk marks what the walk has not seen as gone upstream. Raises UnknownRun
    when the profile was removed meanwhile.
    """
    images = _with_times(page.images, walk.last_created_at)
    with transaction():
        if not Run.select().where(Run.id == run.id).exists():
            raise UnknownRun("The profile was removed while its history was read.")
        synced_count = _add_images(run, walk, images)
        _refresh_images(run.profile_id, walk, images)
        advance_walk(walk, page, step, is_last=is_last)
        Run.update(
            page_count=Run.page_count + 1,
            history_page_count=Run.history_page_count + 1,
            synced_count=Run.synced_count + synced_count,
            skipped_count=Run.skipped_count + len(images) - synced_count,
            ignored_count=Run.ignored_count + page.ignored_count,
            last_cursor=page.next_cursor,
        ).where(Run.id == run.id).execute()
        if page.project:
            note_project(walk, page.project)
        _note_answer(walk, is_complete=step is not Step.ON)
        return _mark_unseen(walk) if walk.is_full and step is Step.END else Unseen()


def under_known_names(profile_id: str, page: HistoryPage) -> HistoryPage:
    """A page whose images bear the names under which the profile has them by their media keys.

    Of the two services one calls an image by its media key, and the other by a name of its own.
    """
    names = {}
    for piece in chunked([image.media_key for image in page.images]):
        rows = Image.select(Image.profile_id, Image.media_key, Image.name).where(Image.media_key.in_(piece))
        names |= {key: name for owner, key, name in rows.tuples() if owner == profile_id}
    return replace(page, images=tuple(_under_known_name(image, names) for image in page.images))


def _under_known_name(image: RemoteImage, names: dict[str, str]) -> RemoteImage:
    known = names.get(image.media_key, image.name)
    is_of_other_service = image.media_key in (image.name, known)
    return replace(image, name=known) if is_of_other_service else image


def _with_times(images: tuple[RemoteImage, ...], above: str | None) -> list[tuple[RemoteImage, str]]:
    """Each image with its time; one without takes that of the entry above it, else that of the sync."""
    return [(image, image.created_at or above or now()) for image in images]


def _add_images(run: Run, walk: Walk, images: list[tuple[RemoteImage, str]]) -> int:
    """Insert what is new and return how many that were; a name in the table is left as it is."""
    rows = [_image_row(run, walk, image, created_at) for image, created_at in images]
    if not rows:
        return 0
    columns, values = ", ".join(rows[0]), ", ".join(f":{name}" for name in rows[0])
    insert = f"INSERT INTO veo3_image_generations ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"
    # Peewee would write a statement of hundreds of variables anew for each page.
    return db.connection().executemany(insert, rows).rowcount


def _image_row(run: Run, walk: Walk, image: RemoteImage, created_at: str) -> dict:
    """All columns that a sync may write for a new image; nothing of its file is among them."""
    return {
        "id": secrets.token_hex(16),
        "profile_id": run.profile_id,
        "name": image.name,
        "workflow_id": image.workflow_id,
        "media_key": image.media_key,
        "created_at": created_at,
        "history": walk.history,
        "stored_at": now(),
        "stored_walk_id": walk.id,
        "seen_walk_id": walk.id,
        "stored_run_id": run.id,
    } | {field: getattr(image, field) for field in (*LEARNED_FIELDS, *FRESH_FIELDS)}


def _refresh_images(profile_id: str, walk: Walk, images: list[tuple[RemoteImage, str]]) -> None:
    """Known images: seen again, not gone, and what the answer knows better than the row."""
    by_name = {image.name: image for image, _ in images}
    for piece in chunked(list(by_name)):
        was_known = fn.COALESCE(Image.stored_walk_id, 0) != walk.id
        rows = [
            row
            for row in Image.select().where(Image.name.in_(piece), was_known)
            if row.profile_id == profile_id
        ]
        for row in rows:
            if learned := _learned(row, by_name[row.name]):
                Image.update(learned).where(Image.id == row.id).execute()
        if not rows:
            continue
        Image.update(
            seen_walk_id=fn.MAX(fn.COALESCE(Image.seen_walk_id, 0), walk.id),
            history=walk.history,
            gone_upstream_at=None,
        ).where(Image.id.in_([row.id for row in rows])).execute()


def _learned(row: Image, image: RemoteImage) -> dict:
    lacking = [field for field in LEARNED_FIELDS if getattr(row, field) is None]
    answered = {field: getattr(image, field) for field in (*lacking, *FRESH_FIELDS)}
    return {
        field: value
        for field, value in answered.items()
        if value is not None and value != getattr(row, field)
    }


def _note_answer(walk: Walk, *, is_complete: bool) -> None:
    fields = {"answered_at": now(), "refused_at": None}
    if is_complete and not Gap.select().where(gap_of(walk.profile_id, walk.history)).exists():
        fields["synced_at"] = now()
    History.update(fields).where(history_row(walk.profile_id, walk.history)).execute()


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
