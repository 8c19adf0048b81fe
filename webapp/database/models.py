"""The database: tables and indexes. Queries live in `webapp.store`.

A change here needs its step in `webapp/database/migrations`, for databases that are there already.

`veo3_image_generations` begins with the nine columns of the seed, word for word, because others
read that table; our own columns follow and may be null.
"""

from peewee import (
    SQL,
    AutoField,
    BooleanField,
    Field,
    ForeignKeyField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)
from playhouse.sqlite_ext import AutoIncrementField

from webapp.database.states import DownloadState, ExportState, Health, RunState, ScheduleKind

# One app per process at a time: `webapp.database` points this at its file. A thread that
# forgot to open a connection gets an error instead of a connection that nobody closes.
db = SqliteDatabase(None, autoconnect=False)


class BaseModel(Model):
    class Meta:
        database = db
        legacy_table_names = False


class Profile(BaseModel):
    """One account of one person; `is_unchecked` while nobody could say whose its cookies are.

    `account_email` and `account_key`, a hash of the account's number, are kept once a check brought them;
    either alone tells accounts apart.

    `service` is where its cookies sign it in, as `Source.name` has it. Until `cooldown_until` the service is
    not asked anything, because it took the traffic for a machine's.
    """

    id = TextField(primary_key=True)
    name = TextField()
    health = TextField(default=Health.UNCHECKED)
    health_reason = TextField(null=True)
    account_email = TextField(null=True, constraints=[SQL("UNIQUE COLLATE NOCASE")])
    account_name = TextField(null=True)
    account_key = TextField(null=True, unique=True)
    service = TextField(null=True)
    cookie_names = TextField(default="")
    cookies_expire_at = TextField(null=True)
    checked_at = TextField(null=True)
    is_unchecked = BooleanField(default=False)
    cooldown_until = TextField(null=True)
    created_at = TextField()


class Secret(BaseModel):
    """Write-only for everything above the sources: cookies and the API key of a profile."""

    id = AutoField()
    profile = ForeignKeyField(Profile, on_delete="CASCADE")
    profile_id: TextField
    name = TextField()
    value = TextField()

    class Meta:
        indexes = ((("profile", "name"), True),)


class History(BaseModel):
    """What is known of one history of a profile as a whole.

    `head_run_id` is the run that read its newest page last, after it had been asked for `head_asked_count`
    times.
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
    """A project of a profile, as the listing shows it, and when its media were read.

    `made_at` is the time on its card, `newest_at` that of its newest image as last read. `read_at` is null
    until it was read for the first time; `read_walk_id` is the walk that read it whole last. `tried_at` and
    `tried_walk_id` are of the last answer of any kind, and `failure` says why that one was not read.
    `listed_walk_id` is the last walk whose listing showed it; a walk that saw the whole listing without it
    leaves it `unlisted_at`. `due_walk_id`: the quick walk that is to read it.

    `reader_version`: the version of Flowshelf that did not recognise all of its records.
    `empty_walk_id`, `empty_count` and `empty_on` are of answers without records although the shelf has images
    of it: the walk that met the last, on how many days, and the last of these days.
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
    """One way down a history. Its id, never used twice, orders the walks: an image was known before
    a walk began exactly when an earlier walk stored it (a clock could be set back).

    `cursor` is the page to ask for next, '' the head, and `last_created_at` the time of the last entry
    above it. `last_gap_id` is the newest gap there was when the walk began: a walk from the head that
    reaches the end has closed all up to that one. While it `keeps_gap`, what lies below it is unknown, and
    a gap stands where it stands; after a join that is so no more. `finished_at`: it will not go on.
    `missing_count` is above zero while a full walk asks whether to mark so many images as gone, `by_project`
    when it read them project by project. `is_quick`: of projects only those are read that are new or whose
    turn it is.
    """

    # AUTOINCREMENT, because SQLite otherwise hands out a deleted highest id again.
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
    """A place below which nothing is known for sure: where the next walk has to go on.

    `cursor` '' is the head. `walk` is the walk that came to this place, null when none began yet.
    `after_created_at` is the time of the last entry above it.
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


class Run(BaseModel):
    """One sync or download that a person asked for, with its counts and how it ended.

    `asked_count`: how often somebody asked for this quick sync; it ends only once the head was read after the
    last time. A count and no time, because a clock can be set back.
    `ignored_reasons` is a JSON object of the counts that `ignored_count` sums up.
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
    # sync
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
    # download
    download_count = IntegerField(default=0)
    done_count = IntegerField(default=0)
    failed_count = IntegerField(default=0)
    done_bytes = IntegerField(default=0)


class Image(BaseModel):
    """One image of a history: first the seed's nine columns, then ours."""

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

    # What `store.gallery.filters.with_download` adds.
    latest_download: "Download | None"

    class Meta:
        table_name = "veo3_image_generations"


class Tally(BaseModel):
    """How many images that are not hidden are of one sort; kept by `triggers`; '' is not known."""

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
    """A quick sync that Flowshelf begins by itself, every `hours` when it is hourly."""

    profile = ForeignKeyField(Profile, primary_key=True, on_delete="CASCADE")
    profile_id: TextField
    kind = TextField(default=ScheduleKind.OFF)
    hours = IntegerField(default=6)
    downloads_new = BooleanField(default=False)


class Message(BaseModel):
    """How a run ended, or why it stopped, said once to whoever looks. `kind` is the run's new state."""

    id = AutoIncrementField()
    profile = ForeignKeyField(Profile, on_delete="CASCADE")
    profile_id: TextField
    run = ForeignKeyField(Run, on_delete="CASCADE")
    run_id: TextField
    kind = TextField()
    sentence = TextField()
    created_at = TextField()


class Download(BaseModel):
    """The latest wish for one image: the queue of the pool. `is_permanent` tells a failure that
    asking again will not change from one that may pass."""

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


class ImageEvent(BaseModel):
    """Something that became of an image; written by `triggers` only. `reason` is of a failure."""

    id = AutoField()
    image = ForeignKeyField(Image, on_delete="CASCADE")
    image_id: TextField
    kind = TextField()
    reason = TextField(null=True)
    created_at = TextField()


class Export(BaseModel):
    """A ZIP of images (`image_ids`, a JSON list) that is prepared in the background and kept for a day.

    `size_bytes` is what the files came to when it was asked for; `left_out_count` are images without a file.
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


class Session(BaseModel):
    """A browser that signed in while the shelf was shared, by the hash of what its cookie holds.

    It ends when the code it signed in with is renewed: `code_hash` is that of no code any more.
    """

    id_hash = TextField(primary_key=True)
    role = TextField()
    code_hash = TextField()
    created_at = TextField()


class Setting(BaseModel):
    """What a person chose on the settings page: a field of `Config` and the text that was typed for it."""

    name = TextField(primary_key=True)
    value = TextField()


_OF_PROFILES = (Profile, Secret, History, Project, Walk, Gap, Run, Schedule, Message)
TABLES = (*_OF_PROFILES, Image, Download, ImageEvent, Tally, Export, Session, Setting)
# A backup leaves their rows out unless it is asked for them.
SECRET_TABLES = (Secret, Session)
