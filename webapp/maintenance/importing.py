"""Imports the table `veo3_image_generations` of the Electron predecessor, with the files that exist.

Nothing in that table is trusted: every value is checked. A file under a storage root stays where it is; any
other is checked and copied into the folder of its profile, like a download.
"""

import hashlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, TypeGuard

from webapp import database, storage, store
from webapp.config import Config
from webapp.database.models import Image
from webapp.errors import BadDatabase, BadPicture, BadRequest, DiskFull
from webapp.sources import clean_name
from webapp.sources.fields import MAX_NAME, MAX_WORD
from webapp.sources.labs.history_pages import created_at
from webapp.sources.signed_urls import is_picture_url
from webapp.store import imports
from webapp.store.gallery import images
from webapp.store.history import walks
from webapp.store.roots import place_columns
from webapp.times import now, timestamp

TABLE = "veo3_image_generations"
COLUMNS = (
    "id",
    "profile_id",
    "name",
    "aspect_ratio",
    "workflow_id",
    "media_key",
    "local_path",
    "fife_url",
    "created_at",
)
CHUNK_ROWS = 100
MAX_ROWS = 2_000_000
# For reading one chunk, or counting: a table as the Electron program made it takes a fraction of that.
MAX_READING_SECONDS = 30.0
_STEPS_BETWEEN_CHECKS = 100_000
MAX_PICTURE_BYTES = 200 * 1024 * 1024
MAX_PROBLEMS = 20
MAX_SHOWN_CHARACTERS = 500
# All rows of one INSERT must have the same columns.
_NO_PICTURE = dict(images.NO_FILE) | dict.fromkeys(("width", "height"))
# A number from the first on is a time in seconds (from 2001 on), from the second on one in milliseconds.
_MIN_SECONDS, _MIN_MILLISECONDS = 1_000_000_000, 100_000_000_000

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A file that was not imported, with its path as the predecessor's table has it."""

    file: str
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What became of the rows and their files.

    Rows: `added`, `skipped` (the image was there already) or `ignored` (no usable image). Files: `files` were
    imported; `missing` and `damaged` ones were not, and their images are pending. `problems` are the first
    `MAX_PROBLEMS` of those.
    """

    added: int = 0
    skipped: int = 0
    ignored: int = 0
    files: int = 0
    missing: int = 0
    damaged: int = 0
    by_profile: Counter[str] = field(default_factory=Counter)
    problems: list[FileProblem] = field(default_factory=list)

    def note_problem(self, file: object, reason: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(FileProblem(str(file)[:MAX_SHOWN_CHARACTERS], reason))


class OldTable:
    """The predecessor's table, opened read-only.

    Everything raises BadRequest when the file has no such table, is damaged, or takes too long to read. Only
    a real table is read: a view, or a virtual table, may run for ever.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_until = 0.0
        if not path.is_file():
            raise BadRequest(f"{path} is not a file. Name the database of the Electron program.")
        kind = self._query(
            "SELECT type, coalesce(sql, '') LIKE 'CREATE VIRTUAL %' FROM sqlite_master WHERE name = ?", TABLE
        )
        if kind and kind != [("table", 0)]:
            raise BadRequest(
                f"{path} is not a database of the Electron program: {TABLE} is a view or a virtual table."
            )
        columns = {name for _, name, *_ in self._query(f"PRAGMA table_info({TABLE})")}
        if lacking := [name for name in COLUMNS if name not in columns]:
            raise BadRequest(
                f"{path} is not a database of the Electron predecessor: the table {TABLE} is missing, or has "
                f"no {', '.join(lacking)}."
            )

    def count(self) -> int:
        """The number of rows. Raises BadRequest when there are more than `MAX_ROWS`."""
        (count,) = self._query(f"SELECT count(*) FROM {TABLE}")[0]
        if count > MAX_ROWS:
            raise BadRequest(f"{self.path} has {count:,} rows. At most {MAX_ROWS:,} can be imported.")
        return count

    def owners(self) -> list[str]:
        """The predecessor's ids of the profiles that the images belong to."""
        return [str(owner) for (owner,) in self._query(f"SELECT DISTINCT profile_id FROM {TABLE}")]

    def chunks(self) -> Iterator[list[Row]]:
        """All rows, at most `CHUNK_ROWS` at a time."""
        with closing(self._open()) as reader:
            with self._reading():
                rows = reader.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLE} LIMIT {MAX_ROWS}")
            while chunk := self._fetch(rows):
                yield [dict(zip(COLUMNS, row, strict=True)) for row in chunk]

    def _fetch(self, rows: sqlite3.Cursor) -> list[tuple[Any, ...]]:
        with self._reading():
            return rows.fetchmany(CHUNK_ROWS)

    def _query(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(self._open()) as reader, self._reading():
            return reader.execute(query, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Limit the time of what reads the file in this block, and translate what it raises."""
        self._read_until = time.monotonic() + MAX_READING_SECONDS
        try:
            with database.translate_damage(self.path):
                yield
        except BadDatabase as error:
            if time.monotonic() >= self._read_until:
                raise BadRequest(
                    f"Reading {self.path} takes too long: it is not an ordinary database of the Electron "
                    "program. What was imported before stays."
                ) from error
            raise BadRequest(f"{self.path} is not an SQLite database, or is damaged.") from error

    def _open(self) -> sqlite3.Connection:
        with self._reading():
            reader = database.open_read_only(self.path)
        reader.text_factory = lambda text: text.decode("utf-8", "replace")
        reader.set_progress_handler(lambda: time.monotonic() >= self._read_until, _STEPS_BETWEEN_CHECKS)
        return reader


class Import:
    """One import of a table. `owner_of` maps the predecessor's profile ids to ours."""

    def __init__(self, config: Config, owner_of: Mapping[str, str]) -> None:
        self._config = config
        self._roots = (config.images_dir, *config.storage_roots)
        self._owner_of = owner_of
        self._keys: set[str] = set()
        self.report = ImportReport()

    def run(self, table: OldTable, on_row: Callable[[], None] = lambda: None) -> ImportReport:
        """Import everything, a chunk per transaction. Run again after an interruption, it skips what is here.

        Raises DiskFull, before anything is copied when it is known that the files will not fit.
        """
        self._require_space(table)
        for chunk in table.chunks():
            with store.transaction():
                self._import_chunk(chunk, on_row)
        return self.report

    def _import_chunk(self, chunk: Sequence[Row], on_row: Callable[[], None]) -> None:
        rows = [read_row(row, self._config.all_picture_hosts) for row in chunk]
        known = imports.find_known([row["name"] for row in rows if row])
        new: dict[str, Row] = {}
        for old, row in zip(chunk, rows, strict=True):
            profile_id = self._owner_of[str(old["profile_id"])]
            if row is None:
                self.report.ignored += 1
            elif row["name"] in known:
                self._skip(profile_id, old, known[row["name"]])
            elif row["name"] in new:
                self.report.skipped += 1
            else:
                file = self._file(profile_id, old, row["name"], row["media_key"])
                new[row["name"]] = _NO_PICTURE | row | {"profile_id": profile_id} | file
                self._keys.add(row["media_key"].lower())
            on_row()
        imports.add_images(list(new.values()))
        self.report.added += len(new)
        owner_ids = [str(row["profile_id"]) for row in new.values()]
        self.report.by_profile.update(owner_ids)
        # A walk must not stop at an imported image: nothing says that the images below it are here too.
        for profile_id in set(owner_ids):
            # Its own: an account of flow.google.com has no histories of labs.google, and no gaps in them.
            own = [history.name for history in walks.list_histories(profile_id)]
            walks.forbid_catching_up(profile_id, own or self._config.histories, "images were imported")

    def _skip(self, profile_id: str, old: Row, image: Image) -> None:
        """The image is here already. Import its file all the same if it has none yet."""
        self.report.skipped += 1
        is_pending = not image.local_path and not image.not_wanted_at
        if is_pending and image.profile_id == profile_id:
            file = self._file(profile_id, old, image.name, image.media_key)
            if file:
                imports.add_file(image, file)

    def _file(self, profile_id: str, old: Row, name: str, media_key: str) -> Row:
        """The columns that describe an image's file; empty when there is no whole picture."""
        if not old["local_path"]:
            return {}
        source = file_path(old)
        if source is None:
            self.report.missing += 1
            self.report.note_problem(old["local_path"], "There is no such file.")
            return {}
        try:
            content, header = read_picture(source)
        except Exception as error:  # whatever is wrong with a file, the import goes on
            self.report.damaged += 1
            self.report.note_problem(source, reason_of(error))
            return {}
        is_ours = self._is_under_root(source)
        path = source if is_ours else self._copy(profile_id, content, header.suffix, name, media_key)
        is_timed = not is_ours and storage.set_made_time(path, parse_time(old["created_at"]) or "")
        self.report.files += 1
        return {
            **place_columns(path),
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "width": header.width,
            "height": header.height,
            "downloaded_at": now(),
            "file_time_at": now() if is_timed else None,
        }

    def _copy(self, profile_id: str, content: bytes, suffix: str, name: str, media_key: str) -> Path:
        folder = self._config.images_dir / profile_id
        storage.make_folder(folder, self._roots)
        # `_keys`: the rows of this chunk are not in the database yet.
        is_plain = media_key.lower() not in self._keys and imports.has_plain_name(name, media_key)
        stems = storage.file_stems(media_key, name, has_plain_name=is_plain)
        return storage.save_file(folder, stems, suffix, content)

    def _is_under_root(self, path: Path) -> bool:
        return any(path.is_relative_to(root.resolve()) for root in self._roots)

    def _require_space(self, table: OldTable) -> None:
        paths = (file_path(row) for chunk in table.chunks() for row in chunk if row["local_path"])
        needed = sum(_size_of(path) for path in paths if path and not self._is_under_root(path))
        if needed > (free := storage.free_bytes(self._config.images_dir)):
            raise DiskFull(
                f"The images of {table.path} take {needed / 1e6:,.1f} MB, and the disk of "
                f"{self._config.images_dir} has {free / 1e6:,.1f} MB free. Make room there. Nothing was "
                "imported."
            )


class ReadRow(TypedDict):
    """A checked row of the predecessor's table, as columns of ours."""

    id: str
    name: str
    aspect_ratio: str | None
    workflow_id: str
    media_key: str
    fife_url: str | None
    created_at: str


def read_row(row: Row, picture_hosts: frozenset[str]) -> ReadRow | None:
    """Check a row; None when it is no usable image."""
    name, media_key, workflow_id = row["name"], row["media_key"], row["workflow_id"]
    if not (
        _is_text(name, 2 * MAX_NAME) and _is_text(media_key, MAX_WORD) and _is_text(workflow_id, MAX_WORD)
    ):
        return None
    name, url, aspect_ratio = clean_name(name), row["fife_url"], row["aspect_ratio"]
    if not _is_text(name, MAX_NAME):
        return None
    return {
        "id": str(row["id"]),
        "name": name,
        "aspect_ratio": aspect_ratio if _is_text(aspect_ratio, MAX_WORD) else None,
        "workflow_id": workflow_id,
        "media_key": media_key,
        "fife_url": url if isinstance(url, str) and is_picture_url(url, picture_hosts) else None,
        "created_at": parse_time(row["created_at"]) or now(),
    }


def parse_time(value: object) -> str | None:
    """A time as the Electron predecessor may have written it, in our form; None when it is none.

    ISO 8601 with or without a zone (then UTC), as SQLite writes it, or seconds or milliseconds since 1970.
    """
    if created := created_at(value):
        return created
    try:
        moment = _from_number(value) or _from_text(value)
        return created_at(timestamp(moment)) if moment else None
    except (ValueError, OverflowError, OSError):
        return None


def _from_text(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _from_number(value: object) -> datetime | None:
    if not isinstance(value, int | float) and not (isinstance(value, str) and value.isdecimal()):
        return None
    number = float(value)
    if number < _MIN_SECONDS:
        return None
    return datetime.fromtimestamp(number / (1 if number < _MIN_MILLISECONDS else 1000), UTC)


def file_path(row: Row) -> Path | None:
    """The resolved path of a row's file; None when it does not exist."""
    text = row["local_path"]
    if not isinstance(text, str):
        return None
    try:
        path = Path(text)
        return path.resolve() if path.is_absolute() and path.is_file() else None
    except (ValueError, OSError):
        return None


def _size_of(path: Path) -> int:
    """The size of a file; 0 when it cannot be read, which the import reports later."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def reason_of(error: Exception) -> str:
    """Why a file was not taken, as a sentence about that file."""
    if isinstance(error, BadPicture):
        return str(error).replace("that Flow sent ", "").replace("What Flow sent", "It")
    if isinstance(error, OSError):
        return f"It cannot be read: {error.strerror}."
    return "It cannot be read as an image."


def read_picture(path: Path) -> tuple[bytes, storage.PictureHeader]:
    """The bytes of a whole picture and its header. Raises BadPicture or OSError."""
    if path.stat().st_size > MAX_PICTURE_BYTES:
        raise BadPicture(f"{path.name} is too large to be an image.")
    content = path.read_bytes()
    return content, storage.read_header(content)


def _is_text(value: object, max_length: int) -> TypeGuard[str]:
    """Whether a value is a text that is not blank, not too long, and free of NUL.

    NUL ends a text in SQLite's functions. Bytes that are no UTF-8 were replaced when the row was read.
    """
    return isinstance(value, str) and 0 < len(value.strip()) <= max_length and "\0" not in value
