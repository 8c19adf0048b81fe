"""Tables and columns. Queries belong to `webapp.store`.

A change here needs a migration in `webapp/database/migrations` for existing databases.

`veo3_image_generations` begins with the nine columns of the predecessor's table, unchanged, because other
programs read them. Our own columns follow and may be null.

Times are UTC text in the form of `webapp.times.timestamp`, so that they sort as text. Where peewee declares a
foreign key `profile`, its raw column is annotated as `profile_id`, because peewee's type stubs do not know
it.
"""

from dataclasses import dataclass

from peewee import SQL, BooleanField, Field, ForeignKeyField

from webapp.database.account_models import Pairing, Profile, Secret, Session
from webapp.database.base import BaseModel
from webapp.database.choice_models import (
    Collection,
    CollectionImage,
    Favourite,
    GuestAccess,
    GuestCollection,
    PastChoice,
)
from webapp.database.fields import AutoField, AutoIncrementField, IntegerField, TextField, stored_json
from webapp.database.roots import current_roots
from webapp.database.states import DownloadState, ExportState, RunState, ScheduleKind, SyncMode
from webapp.database.trash_models import TrashedFile
from webapp.storage.roots import Place


class History(BaseModel):
    """One history of a profile.

    `responded_at`: when the service last returned a page of it. `refused_at`: since when the service is known
    not to offer it. `synced_at`: when it was last read without leaving a gap. `head_run_id` is the run that
    last read its newest page, and `head_asked_count` the `asked_count` of that run when it sent the request
    (rule 11).
    """

    id = AutoField()
    profile = ForeignKeyField(Profile, on_delete="CASCADE", backref="histories")
    profile_id: TextField
    name = TextField()
    responded_at = TextField(null=True)
    refused_at = TextField(null=True)
    synced_at = TextField(null=True)
    head_run_id = TextField(null=True)
    head_asked_count = IntegerField(default=0)

    class Meta:
        indexes = ((("profile", "name"), True),)


class Project(BaseModel):
    """A project of a profile: what the listing shows of it, and when it was read (rule 12).

    `made_at` is the time on its card in Flow, `newest_at` the time of its newest image when last read.
    `read_at` is null until the first reading; `read_walk_id` is the last walk that read all of its records.
    `tried_at` and `tried_walk_id` belong to the last response of any kind; `failure` says why that response
    does not count as read. `listed_walk_id` is the last walk whose listing showed it; `unlisted_at`: a walk
    saw the whole listing without it. `due_walk_id` is the quick walk that has to read it.

    `reader_version` is the version of Flowshelf that did not recognise all of its records.
    Responses without records, although images of the project are stored: `empty_walk_id` is the walk that got
    the last one, `empty_count` the number of days with one, `empty_on` the last of these days.
    """

    id = AutoField()
    profile = ForeignKeyField(Profile, on_delete="CASCADE")
    profile_id: TextField
    remote_id = TextField()
    title = TextField()
    made_at = TextField(null=True)
    newest_at = TextField(null=True)
    read_at = TextField(null=True)
    read_walk_id = IntegerField(null=True)
    tried_at = TextField(null=True)
    tried_walk_id = IntegerField(null=True)
    failure = TextField(null=True)
    listed_walk_id = IntegerField(null=True)
    unlisted_at = TextField(null=True)
    deleted_at = TextField(null=True)
    due_walk_id = IntegerField(null=True)
    reader_version = TextField(null=True)
    empty_walk_id = IntegerField(null=True)
    empty_count = IntegerField(default=0)
    empty_on = TextField(null=True)

    class Meta:
        indexes = ((("profile", "remote_id"), True),)


class Walk(BaseModel):
    """One pass down a history, page by page (`webapp.sync.rules`).

    Ids are never reused and order the walks: an image was known before a walk began exactly when a walk with
    a lower id stored it. Times would not do, because a clock can be set back.

    `cursor` is the next history page to read ('' is the head), `last_created_at` the time of the last entry
    above it. `from_head`: it began at the newest page. `last_gap_id` is the newest gap when the walk began: a
    walk from the head that reaches the end closes all gaps up to that one. `keeps_gap`: what lies below is
    unknown, so the walk has a gap at its cursor; false once it has caught up. `finished_at`: the walk is
    over. `missing_count` is above zero while a person is asked whether to mark that many images as gone;
    `by_project` says that the walk read the images project by project. `is_quick`: it only reads projects
    that are new or due.
    """

    # AUTOINCREMENT, because SQLite otherwise reuses the highest id after its row was deleted.
    id = AutoIncrementField()
    profile = ForeignKeyField(Profile, on_delete="CASCADE")
    profile_id: TextField
    history = TextField()
    is_full = BooleanField(default=False)
    is_quick = BooleanField(default=False)
    keeps_gap = BooleanField(default=True)
    from_head = BooleanField()
    cursor = TextField()
    last_created_at = TextField(null=True)
    last_gap_id = IntegerField(default=0)
    began_at = TextField()
    finished_at = TextField(null=True)
    missing_count = IntegerField(default=0)
    by_project = BooleanField(default=False)


class Gap(BaseModel):
    """A place in a history below which images may be unknown: where a later walk continues (rule 1).

    `cursor` is the first history page below it ('' is the head), `after_created_at` the time of the last
    entry above it (null at the head). `may_join`: it may be closed by catching up (rule 3). `walk` is the
    walk that stopped here, null when none did. `reason` and `opened_at` say why and when the gap was opened.
    """

    id = AutoIncrementField()
    profile = ForeignKeyField(Profile, on_delete="CASCADE", backref="gaps")
    profile_id: TextField
    history = TextField()
    cursor = TextField()
    may_join = BooleanField(default=True)
    after_created_at = TextField(null=True)
    walk = ForeignKeyField(Walk, null=True, on_delete="SET NULL")
    walk_id: "Field[int | None]"
    reason = TextField()
    opened_at = TextField()

    class Meta:
        indexes = ((("profile", "history", "cursor"), True),)


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What a sync run was asked to do. Every sync run has these columns of `run`, no download run has
    them."""

    mode: SyncMode
    histories: tuple[str, ...]
    start_cursor: str | None = None
    max_pages: int | None = None

    @property
    def is_quick(self) -> bool:
        """Whether it is a quick sync without limits, which rule 11 is about."""
        return self.mode == SyncMode.NEW and self.start_cursor is None and self.max_pages is None

    def columns(self) -> dict[str, str | int | None]:
        """The columns of `run` that hold this request."""
        return {
            "mode": self.mode,
            "histories": ",".join(self.histories),
            "start_cursor": self.start_cursor,
            "max_pages": self.max_pages,
        }


class Run(BaseModel):
    """One sync or one batch of downloads (`kind`), with its counts and how it ended.

    `asked_count`: how often this quick sync was requested; it ends only once the head was read after the last
    request (rule 11). It is a count and not a time, because a clock can be set back.
    `ignored_reasons` is a JSON object with the parts of `ignored_count` by reason. `sample` is the outline of
    a response that could not be read, for a report. `history_page_count` are the pages of the present
    `history`, `page_count` those of the whole run. `downloads_new`: its new images are downloaded when it
    ends.
    """

    id = TextField(primary_key=True)
    profile = ForeignKeyField(Profile, on_delete="CASCADE", backref="runs")
    profile_id: TextField
    kind = TextField()
    state = TextField(default=RunState.RUNNING)
    asked_count = IntegerField(default=0)
    error_code = TextField(null=True)
    error = TextField(null=True)
    note = TextField(null=True)
    sample = TextField(null=True)
    started_at = TextField()
    finished_at = TextField(null=True)
    # Sync runs only. The first four are the request: see `sync_request`.
    mode = TextField(null=True)
    histories = TextField(null=True)
    start_cursor = TextField(null=True)
    max_pages = IntegerField(null=True)
    history = TextField(null=True)
    walk = ForeignKeyField(Walk, null=True, on_delete="SET NULL")
    walk_id: "Field[int | None]"
    page_count = IntegerField(default=0)
    history_page_count = IntegerField(default=0)
    synced_count = IntegerField(default=0)
    skipped_count = IntegerField(default=0)
    ignored_count = IntegerField(default=0)
    ignored_reasons = TextField(default="{}")
    last_cursor = TextField(null=True)
    is_scheduled = BooleanField(default=False)
    downloads_new = BooleanField(default=False)
    # Download runs only.
    download_count = IntegerField(default=0)
    done_count = IntegerField(default=0)
    failed_count = IntegerField(default=0)
    done_bytes = IntegerField(default=0)

    @property
    def ignored_by_reason(self) -> dict[str, int]:
        """The counts in `ignored_reasons`."""
        counts = stored_json(self.ignored_reasons, {})
        return {reason: count for reason, count in counts.items() if isinstance(count, int)}

    @property
    def sync_request(self) -> SyncRequest:
        """What a sync run was asked to do. Raises ValueError for a download run."""
        if self.mode is None or self.histories is None:
            raise ValueError(f"run {self.id} is not a sync run")
        histories = tuple(self.histories.split(","))
        return SyncRequest(SyncMode(self.mode), histories, self.start_cursor, self.max_pages)


class Image(BaseModel):
    """One image of a history.

    `stored_walk_id` and `stored_run_id` say what stored it, `seen_walk_id` the last walk that saw it.
    `local_path` is the file, null until it was downloaded, relative to the storage root `root_id` (null: the
    folder `images`), or absolute under no root; `downloaded_at`, `size_bytes`, `sha256` and
    `damaged_at` belong to that file. `changed_sha256`: the file is another whole picture now, with this
    sha256, and nobody has decided yet which one is right. `file_time_at`: when Flowshelf set the modification
    time of the file to the time the image was made; null: it has to. `adopted_at`: the file was not
    downloaded, but taken over from one that a person had. `gone_upstream_at`: Flow no longer has the image.
    `hidden_at`: a person hid it. `not_wanted_at`: a person deleted its file, so it is only downloaded again
    when asked for by name. `favourite_at`: a person marked it as a favourite (`Favourite`, by its name).
    """

    id = TextField(primary_key=True)
    profile_id = TextField()
    name = TextField(constraints=[SQL("UNIQUE")])
    aspect_ratio = TextField(null=True)
    workflow_id = TextField()
    media_key = TextField()
    local_path = TextField(null=True)
    fife_url = TextField(null=True)
    created_at = TextField()

    kind = TextField(null=True)
    prompt = TextField(null=True)
    model_name = TextField(null=True)
    seed = IntegerField(null=True)
    project_id = TextField(null=True)
    history = TextField(null=True)
    stored_at = TextField(null=True)
    stored_walk_id = IntegerField(null=True)
    seen_walk_id = IntegerField(null=True)
    stored_run_id = TextField(null=True)
    size_bytes = IntegerField(null=True)
    sha256 = TextField(null=True)
    downloaded_at = TextField(null=True)
    damaged_at = TextField(null=True)
    gone_upstream_at = TextField(null=True)
    hidden_at = TextField(null=True)
    not_wanted_at = TextField(null=True)
    title = TextField(null=True)
    version = TextField(null=True)
    is_archived = BooleanField(null=True)
    width = IntegerField(null=True)
    height = IntegerField(null=True)
    root_id = IntegerField(null=True)
    changed_sha256 = TextField(null=True)
    file_time_at = TextField(null=True)
    adopted_at = TextField(null=True)
    favourite_at = TextField(null=True)

    # Not a column: set on images that were selected by `store.gallery.filters.with_download`.
    latest_download: "Download | None"

    class Meta:
        table_name = "veo3_image_generations"

    @property
    def file_path(self) -> str | None:
        """The absolute path of the file; None without one."""
        if self.local_path is None:
            return None
        return str(current_roots().path_of(Place(self.root_id, self.local_path)))


class Tally(BaseModel):
    """A group of images that are not hidden: its size, and the bytes of its files.

    Maintained by `webapp.database.triggers.tally`. The text '' means that the image has no such value.
    """

    id = AutoField()
    profile_id = TextField()
    month = TextField()
    kind = TextField()
    aspect_ratio = TextField()
    model_name = TextField()
    has_file = BooleanField()
    image_count = IntegerField()
    size_bytes = IntegerField()

    class Meta:
        table_name = "image_tally"


class Schedule(BaseModel):
    """When a profile is synced automatically, with a quick sync; `hours` is the interval of an hourly one."""

    profile = ForeignKeyField(Profile, primary_key=True, on_delete="CASCADE")
    profile_id: TextField
    kind = TextField(default=ScheduleKind.OFF)
    hours = IntegerField(default=6)
    downloads_new = BooleanField(default=False)


class Message(BaseModel):
    """A notification of how a run ended or why it stopped. `kind` is the new state of the run."""

    id = AutoIncrementField()
    profile = ForeignKeyField(Profile, on_delete="CASCADE")
    profile_id: TextField
    run = ForeignKeyField(Run, on_delete="CASCADE")
    run_id: TextField
    kind = TextField()
    sentence = TextField()
    created_at = TextField()


class Download(BaseModel):
    """The latest download of one image. These rows are the queue from which the worker pool claims.

    `folder` is where to write the file, null for the profile's own folder. `is_permanent`: it failed, and
    would fail again. `fetched_sha256`: what Flow sent for the image, null if it never did.
    """

    id = AutoField()
    image = ForeignKeyField(Image, unique=True, on_delete="CASCADE", backref="download")
    image_id: TextField
    profile_id = TextField()
    run = ForeignKeyField(Run, on_delete="CASCADE", backref="downloads")
    run_id: TextField
    folder = TextField(null=True)
    state = TextField(default=DownloadState.QUEUED)
    error_code = TextField(null=True)
    error = TextField(null=True)
    is_permanent = BooleanField(default=False)
    finished_at = TextField(null=True)
    fetched_sha256 = TextField(null=True)


class ImageEvent(BaseModel):
    """Something that happened to an image. Only `webapp.database.triggers.events` writes it; `reason` is set
    for failures."""

    id = AutoField()
    image = ForeignKeyField(Image, on_delete="CASCADE")
    image_id: TextField
    kind = TextField()
    reason = TextField(null=True)
    created_at = TextField()


class Export(BaseModel):
    """A ZIP of images, prepared in the background and deleted after a day.

    `image_ids` is a JSON list. `size_bytes` is the total of the files when the ZIP was requested, `zip_bytes`
    the size of the finished ZIP. `left_out_count` counts images that turned out to have no file.
    `collection_title`: the title, when the ZIP was requested, of the collection that was shown then.
    """

    id = TextField(primary_key=True)
    state = TextField(default=ExportState.WAITING)
    image_ids = TextField()
    image_count = IntegerField()
    size_bytes = IntegerField()
    done_count = IntegerField(default=0)
    done_bytes = IntegerField(default=0)
    left_out_count = IntegerField(default=0)
    zip_bytes = IntegerField(null=True)
    error = TextField(null=True)
    created_at = TextField()
    finished_at = TextField(null=True)
    collection_title = TextField(null=True)


class Removal(BaseModel):
    """A file that is going to be removed, recorded before the first one is touched.

    A killed process leaves the rows of what it had not removed yet, and the next start carries on.
    `local_path` and `root_id` are those of the image. With an `image_id` the row of that image stays;
    without, nothing else knows the file any more. `<profile id>/` stands for what is left of a removed
    profile: its thumbnails, and its folder if that is empty.
    """

    id = AutoField()
    local_path = TextField()
    root_id = IntegerField(null=True)
    image_id = TextField(null=True)
    created_at = TextField()

    @property
    def file_path(self) -> str:
        """The absolute path of the file."""
        return str(current_roots().path_of(Place(self.root_id, self.local_path)))


class StorageRoot(BaseModel):
    """A folder besides `images` that holds files of images."""

    id = AutoField()
    path = TextField(unique=True)


class Setting(BaseModel):
    """A choice of the settings page: the name of a field of `Config`, and the text that a person typed."""

    name = TextField(primary_key=True)
    value = TextField()


class Notification(BaseModel):
    """When a notification of a kind was last sent, and why the latest one could not be; null if it could."""

    kind = TextField(primary_key=True)
    sent_at = TextField(null=True)
    failed_at = TextField(null=True)
    failure = TextField(null=True)


_OF_PROFILES = (Profile, Secret, Pairing, History, Project, Walk, Gap, Run, Schedule, Message)
_OF_FILES = (Removal, TrashedFile, StorageRoot)
_OF_CHOICES = (Favourite, Collection, CollectionImage, PastChoice, GuestAccess, GuestCollection)
_OF_THE_PROGRAM = (Session, Setting, Notification)
_OF_IMAGES = (Image, Download, ImageEvent, Tally, Export)
TABLES = (*_OF_PROFILES, *_OF_IMAGES, *_OF_FILES, *_OF_CHOICES, *_OF_THE_PROGRAM)
# Backups leave out the rows of these tables unless asked for them.
SECRET_TABLES = (Secret, Pairing, Session)
