"""Reads the cookies that Firefox has stored: a copy of `cookies.sqlite` and its `-wal`.

The original is never opened: a running Firefox has locked it, SQLite may write next to it, and what is new
stands in the `-wal` only. Both are copied into a private folder, which is removed afterwards.
"""

import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from webapp.sources.firefox.bounded import NotReadable, copy_bounded

FILE, LOG = "cookies.sqlite", "cookies.sqlite-wal"
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_READ_SECONDS = 5.0
MAX_ROWS = 500
# From this version of the file on (Firefox 142) `expiry` is in milliseconds, before it is in seconds.
_MILLISECONDS_SINCE = 16
_QUERY = """SELECT name, value, host, expiry FROM moz_cookies
    WHERE host IN ({}) AND originAttributes = ? AND path = '/' LIMIT ?"""

FileState = tuple[tuple[int, int] | None, tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class StoredCookie:
    """One cookie of Firefox. `expires_at` is None for a session cookie and an unreadable time."""

    name: str
    value: str = field(repr=False)
    host: str
    expires_at: datetime | None = None


def file_state(folder: Path) -> FileState:
    """Size and time of both files: another state means that Firefox has written."""

    def state(path: Path) -> tuple[int, int] | None:
        try:
            status = path.lstat()
        except (OSError, ValueError):
            return None
        return status.st_size, status.st_mtime_ns

    return state(folder / FILE), state(folder / LOG)


def read_stored_cookies(
    folder: Path, hosts: tuple[str, ...], container: int | None, work_dir: Path
) -> list[StoredCookie]:
    """The cookies of these hosts, of one container or of none. Raises NotReadable.

    `work_dir` is a folder of ours for the copy. When Firefox wrote while it was copied, it is copied once
    more; a second time is enough, because the integrity of the copy is checked.
    """
    for is_last in (False, True):
        before = file_state(folder)
        try:
            cookies = _read_copy(folder, hosts, container, work_dir)
        except NotReadable:
            if is_last or file_state(folder) == before:
                raise
            continue
        if is_last or file_state(folder) == before:
            break
    return cookies


def _read_copy(
    folder: Path, hosts: tuple[str, ...], container: int | None, work_dir: Path
) -> list[StoredCookie]:
    try:
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=work_dir, ignore_cleanup_errors=True) as name:
            copy = Path(name) / FILE
            copy_bounded(folder / FILE, copy, MAX_FILE_BYTES)
            if (folder / LOG).exists():
                copy_bounded(folder / LOG, Path(name) / LOG, MAX_FILE_BYTES)
            return _query(copy, hosts, container)
    except OSError as error:
        raise NotReadable(f"a copy of it cannot be written ({error.strerror})") from error
    except (sqlite3.Error, UnicodeError) as error:
        raise NotReadable(f"{FILE} is damaged or of an unknown form") from error


def _query(copy: Path, hosts: tuple[str, ...], container: int | None) -> list[StoredCookie]:
    deadline = time.monotonic() + MAX_READ_SECONDS
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        # The file may come from anywhere: neither time nor memory is taken without a limit, and nothing that
        # its schema defines is run.
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1024 * 1024)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # no shared memory, which some disks lack
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise NotReadable(f"{FILE} is damaged")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        query = _QUERY.format(", ".join("?" * len(hosts)))
        attributes = "" if container is None else f"^userContextId={container}"
        rows = connection.execute(query, (*hosts, attributes, MAX_ROWS)).fetchall()
    divisor = 1000 if version >= _MILLISECONDS_SINCE else 1
    return [cookie for row in rows if (cookie := _cookie(row, divisor))]


def _cookie(row: tuple[object, ...], divisor: int) -> StoredCookie | None:
    name, value, host, expiry = row
    if isinstance(name, str) and isinstance(value, str) and isinstance(host, str):
        return StoredCookie(name, value, host, _moment(expiry, divisor))
    return None


def _moment(expiry: object, divisor: int) -> datetime | None:
    if not isinstance(expiry, int) or expiry <= 0:
        return None
    try:
        return datetime.fromtimestamp(expiry / divisor, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)
