"""Copy a database as it is at one moment, while others go on writing."""

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from webapp import storage
from webapp.database.inspection import WAIT_SECONDS, read_only_url, url_of
from webapp.database.models import SECRET_TABLES
from webapp.database.problems import translate_damage
from webapp.errors import DiskFull


def copy_database(source: Path, target: Path, *, with_secrets: bool = False) -> None:
    """Write a consistent copy of `source` to `target`, mode 0600, completely or not at all.

    Without `with_secrets` cookies and keys are left out: they are never written to the disk of the copy.
    Raises DiskFull, FolderGone and BadDatabase.
    """
    left_out = () if with_secrets else [table._meta.table_name for table in SECRET_TABLES]
    with storage.replacing(target) as part, _copying(source, target), closing(_open(part)) as copy:
        copy.execute("PRAGMA journal_mode = memory")
        is_writable = os.access(source.parent, os.W_OK)
        url = url_of(source, "rw") if is_writable else read_only_url(source)
        copy.execute("ATTACH ? AS source", [url])
        # One transaction reads everything as of one moment, however long the copy takes.
        copy.execute("BEGIN")
        _copy_tables(copy, left_out)
        copy.execute("COMMIT")


@contextmanager
def _copying(source: Path, target: Path) -> Iterator[None]:
    try:
        with translate_damage(source):
            yield
    except DiskFull as error:
        raise DiskFull(
            f"The disk that holds {target.parent} is full. Free some space there or choose another file; no "
            "copy was made."
        ) from error


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(url_of(path, "rw"), isolation_level=None, uri=True, timeout=WAIT_SECONDS)


def _copy_tables(copy: sqlite3.Connection, left_out: Collection[str]) -> None:
    """Copy all tables but the rows of `left_out`. Triggers are created last, so that they do not fire."""
    (version,) = copy.execute("PRAGMA source.user_version").fetchone()
    schema = copy.execute(
        "SELECT type, name, sql FROM source.sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'trigger'"
    ).fetchall()
    for kind, name, sql in schema:
        if kind == "table" and sql.upper().startswith("CREATE VIRTUAL"):
            _declare(copy, name, sql)
        elif kind == "table" and not name.startswith("sqlite_"):
            copy.execute(sql)
            if name not in left_out:
                _copy_rows(copy, name, has_rowid="WITHOUT ROWID" not in sql.upper())
    if any(name == "sqlite_sequence" for _, name, _ in schema):
        copy.execute("DELETE FROM main.sqlite_sequence")
        copy.execute("INSERT INTO main.sqlite_sequence SELECT * FROM source.sqlite_sequence")
    for kind, _, sql in schema:
        if kind != "table":
            copy.execute(sql)
    copy.execute(f"PRAGMA main.user_version = {version}")


def _copy_rows(copy: sqlite3.Connection, table: str, *, has_rowid: bool) -> None:
    """Copy rows with their rowids, because the full-text index refers to images by rowid."""
    named = copy.execute("SELECT name FROM pragma_table_info(?, 'source')", [table]).fetchall()
    columns = ", ".join(["rowid"] * has_rowid + [f'"{column}"' for (column,) in named])
    copy.execute(f'INSERT INTO main."{table}" ({columns}) SELECT {columns} FROM source."{table}"')


def _declare(copy: sqlite3.Connection, name: str, sql: str) -> None:
    """Declare a full-text index without creating its tables, which are copied like all others.

    Its own CREATE statement would create those tables a second time. SQLite's `.dump` does the same.
    """
    copy.execute("PRAGMA writable_schema = on")
    copy.execute("INSERT INTO main.sqlite_master VALUES ('table', ?, ?, 0, ?)", [name, name, sql])
    copy.execute("PRAGMA writable_schema = off")
