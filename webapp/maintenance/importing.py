"""Takes over the table `veo3_image_generations` of the Electron program, with the files that are there.

Whatever stands in that table is looked at as if a stranger had written it. A file that lies under a storage
root stays where it is; any other is checked and copied to the pictures of its profile, as a download is.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from webapp import database, storage, store
from webapp.config import Config
from webapp.database.models import Image
from webapp.errors import BadDatabase, BadPicture, BadRequest, DiskFull
from webapp.sources import clean_name
from webapp.sources.fields import MAX_NAME, MAX_WORD
from webapp.sources.labs.history_pages import created_at
from webapp.sources.signed_urls import is_picture_url
from webapp.store.gallery import images, imports
from webapp.store.history import walks
from webapp.times import now, timestamp

TABLE = "veo3_image_generations"
COLUMNS = ("id", "profile_id", "name", "aspect_ratio", "workflow_id", "media_key", "local_path", "fife_url")
COLUMNS += ("created_at",)
ROWS_AT_ONCE = 100
MAX_PICTURE_BYTES = 200 * 1024 * 1024
# Every row of one INSERT has to name the same columns.
_NO_PICTURE = images.NO_FILE | dict.fromkeys(("width", "height"))
# Numbers that are times: seconds from 2001 on, milliseconds from there on.
_SECONDS_FROM, _MILLISECONDS_FROM = 1_000_000_000, 100_000_000_000


@dataclass(slots=True)
class Report:
    """How many rows and files became what. `skipped` were on the shelf already, `ignored` are no usable
    image; `files` are on the shelf now, `missing` and `damaged` are not, and their images are pending."""

    added: int = 0
    skipped: int = 0
    ignored: int = 0
    files: int = 0
    missing: int = 0
    damaged: int = 0
    by_profile: Counter[str] = field(default_factory=Counter)


class OldTable:
    """The table in its file, which is only read. Raises BadRequest when there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ask("SELECT count(*) FROM sqlite_master")  # is it a database at all?
        columns = {name for _, name, *_ in self._ask(f"PRAGMA table_info({TABLE})")}
        if lacking := [name for name in COLUMNS if name not in columns]:
            raise BadRequest(
                f"{path} is not a database of the Electron program: its table {TABLE} is missing or lacks "
                f"{', '.join(lacking)}."
            )

    def count(self) -> int:
        return self._ask(f"SELECT count(*) FROM {TABLE}")[0][0]

    def owners(self) -> list[str]:
        """The ids of the profiles that its images belong to."""
        return [str(owner) for (owner,) in self._ask(f"SELECT DISTINCT profile_id FROM {TABLE}")]

    def chunks(self) -> Iterator[list[dict]]:
        with closing(self._open()) as reader:
            rows = reader.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLE}")
            while chunk := rows.fetchmany(ROWS_AT_ONCE):
                yield [dict(zip(COLUMNS, row, strict=True)) for row in chunk]

    def _ask(self, query: str) -> list[tuple]:
        try:
            with database.translate_errors(), closing(self._open()) as reader:
                return reader.execute(query).fetchall()
        except BadDatabase as error:
            raise BadRequest(f"{self.path} is no SQLite database, or a damaged one.") from error

    def _open(self) -> sqlite3.Connection:
        reader = database.reading(self.path)
        reader.text_factory = lambda text: text.decode("utf-8", "replace")
        return reader


class Import:
    """One run through an old table. `owner_of` says whose profile here the images of one there go to."""

    def __init__(self, config: Config, owner_of: dict[str, str]) -> None:
        self._config = config
        self._roots = (config.images_dir, *config.storage_roots)
        self._owner_of = owner_of
        self._keys: set[str] = set()
        self.report = Report()

    def take(self, table: OldTable, on_row: Callable[[], None] = lambda: None) -> Report:
        """Take everything over, piece by piece: cut short, it goes on where it was when asked again.

        Raises DiskFull before anything is copied when the files will not fit, and when they did not.
        """
        self._require_space(table)
        for chunk in table.chunks():
            with store.transaction():
                self._take_chunk(chunk, on_row)
        return self.report

    def _take_chunk(self, chunk: Sequence[dict], on_row: Callable[[], None]) -> None:
        rows = [usable(row, self._config.all_picture_hosts) for row in chunk]
        known = imports.find_known([row["name"] for row in rows if row])
        new: dict[str, dict] = {}
        for old, row in zip(chunk, rows, strict=True):
            profile_id = self._owner_of[str(old["profile_id"])]
            if row is None:
                self.report.ignored += 1
            elif row["name"] in known or row["name"] in new:
                self._skip(profile_id, old, known.get(row["name"]))
            else:
                file = self._file(profile_id, old, row["name"], row["media_key"])
                new[row["name"]] = _NO_PICTURE | row | {"profile_id": profile_id} | file
                self._keys.add(row["media_key"].lower())
            on_row()
        imports.add_images(list(new.values()))
        self.report.added += len(new)
        self.report.by_profile.update(row["profile_id"] for row in new.values())
        for profile_id in {row["profile_id"] for row in new.values()}:
            walks.forbid_joins(profile_id, self._config.histories, "images were imported")

    def _skip(self, profile_id: str, old: dict, image: Image | None) -> None:
        """The image is here already; its file may be welcome all the same."""
        self.report.skipped += 1
        is_pending = image and not image.local_path and not image.not_wanted_at
        if (
            is_pending
            and image.profile_id == profile_id
            and (file := self._file(profile_id, old, image.name, image.media_key))
        ):
            imports.take_file(image, file)

    def _file(self, profile_id: str, old: dict, name: str, media_key: str) -> dict:
        """The columns that tell of an image's file; empty when there is no whole picture."""
        if not old["local_path"]:
            return {}
        source = path_of(old)
        if source is None:
            self.report.missing += 1
            return {}
        try:
            content, header = read_picture(source)
        except (BadPicture, OSError):
            self.report.damaged += 1
            return {}
        is_ours = self._is_ours(source)
        path = source if is_ours else self._keep(profile_id, content, header.suffix, name, media_key)
        self.report.files += 1
        return {
            "local_path": str(path),
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "width": header.width,
            "height": header.height,
            "downloaded_at": now(),
        }

    def _keep(self, profile_id: str, content: bytes, suffix: str, name: str, media_key: str) -> Path:
        folder = self._config.images_dir / profile_id
        storage.make_folder(folder, self._roots)
        is_plain = media_key.lower() not in self._keys and imports.has_plain_name(name, media_key)
        stems = storage.file_stems(media_key, name, has_plain_name=is_plain)
        return storage.save_file(folder, stems, suffix, content)

    def _is_ours(self, path: Path) -> bool:
        return any(path.is_relative_to(root.resolve()) for root in self._roots)

    def _require_space(self, table: OldTable) -> None:
        paths = (path_of(row) for chunk in table.chunks() for row in chunk if row["local_path"])
        needed = sum(path.stat().st_size for path in paths if path and not self._is_ours(path))
        if needed > (free := storage.free_bytes(self._config.images_dir)):
            raise DiskFull(
                f"The pictures of {table.path} are {needed / 1e6:,.1f} MB, and the disk that holds "
                f"{self._config.images_dir} has {free / 1e6:,.1f} MB free. Make room there; nothing was "
                "imported."
            )


def usable(row: dict, picture_hosts: frozenset[str]) -> dict | None:
    """The row as our table has it, None when it is no usable image."""
    name = clean_name(row["name"]) if _is_text(row["name"], 2 * MAX_NAME) else ""
    if not _is_text(name, MAX_NAME) or not all(
        _is_text(row[column], MAX_WORD) for column in ("media_key", "workflow_id")
    ):
        return None
    return {
        "id": str(row["id"]),
        "name": name,
        "aspect_ratio": row["aspect_ratio"] if _is_text(row["aspect_ratio"], MAX_WORD) else None,
        "workflow_id": row["workflow_id"],
        "media_key": row["media_key"],
        "fife_url": row["fife_url"] if is_picture_url(row["fife_url"], picture_hosts) else None,
        "created_at": moment_of(row["created_at"]) or now(),
    }


def moment_of(said: object) -> str | None:
    """A time as the Electron program may have written it, in our form: ISO 8601 with or without a zone
    (then UTC), SQLite's own, or seconds or milliseconds since 1970."""
    if read := created_at(said):
        return read
    try:
        moment = _from_number(said) or datetime.fromisoformat(said)
        return created_at(timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC)))
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _from_number(said: object) -> datetime | None:
    is_number = isinstance(said, int | float) or (isinstance(said, str) and said.isdecimal())
    if not is_number or float(said) < _SECONDS_FROM:
        return None
    seconds = float(said) / (1 if float(said) < _MILLISECONDS_FROM else 1000)
    return datetime.fromtimestamp(seconds, UTC)


def path_of(row: dict) -> Path | None:
    """The file that a row names, resolved, None when it is not there."""
    try:
        path = Path(row["local_path"])
        return path.resolve() if path.is_absolute() and path.is_file() else None
    except (TypeError, ValueError, OSError):
        return None


def read_picture(path: Path) -> tuple[bytes, storage.PictureHeader]:
    """The bytes of a whole picture and its header. Raises BadPicture or OSError."""
    if path.stat().st_size > MAX_PICTURE_BYTES:
        raise BadPicture(f"{path.name} is too large to be a picture.")
    content = path.read_bytes()
    return content, storage.read_header(content)


def _is_text(value: object, longest: int) -> bool:
    """A text that the database and an address can hold; undecodable bytes were replaced when it was read."""
    return isinstance(value, str) and 0 < len(value.strip()) <= longest and "\0" not in value
