"""Read what a database file is, without changing it and without leaving a file next to it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from webapp.database import migrations
from webapp.database.models import TABLES, Image
from webapp.database.problems import JOURNALS, translate_damage
from webapp.errors import BadDatabase, NewerDatabase

FIRST_VERSION = 1
HISTORY_TABLE = "schema_migration"
WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a database file contains: the version of its schema (0 when it has none), the columns of each
    table, and the names of the applied migrations."""

    version: int
    tables: dict[str, frozenset[str]]
    applied: frozenset[str]


def check(path: Path, steps: Path = migrations.FOLDER) -> Inspection:
    """Inspect a database file. Raises NewerDatabase or BadDatabase when this program must not open it."""
    found = inspect(path)
    known = {step.stem for step in steps.glob("[0-9]*.py")}
    if found.version > latest_version(steps) or found.applied - known:
        raise NewerDatabase(
            f"{path} was written by a newer Flowshelf (its schema has version {found.version}, this program "
            f"knows {latest_version(steps)}). Nothing was changed. Install the newer Flowshelf to open it."
        )
    if found.version == 0 and Image._meta.table_name in found.tables:
        raise BadDatabase(
            f"{path} is a database of the Electron predecessor, not of Flowshelf. Nothing was changed. "
            "Move it to another folder and import it with “flowshelf import FILE”."
        )
    if found.version == 0 and found.tables:
        raise BadDatabase(
            f"{path} is a database of another program. Nothing was changed. Move it away, or choose "
            "another folder with --data-dir."
        )
    if found.version and not is_behind(found, steps) and (lacking := _lacking(found)):
        raise BadDatabase(
            f"{path} claims schema version {found.version} but lacks {lacking[0]}: no released Flowshelf "
            "wrote it. Nothing was changed. Put a backup in its place, or choose another folder."
        )
    return found


def inspect(path: Path) -> Inspection:
    """Read version, tables and applied migrations of a database file."""
    with translate_damage(path), closing(open_read_only(path)) as reader:
        (version,) = reader.execute("PRAGMA user_version").fetchone()
        named = reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = {name: _columns(reader, name) for (name,) in named}
        applied = reader.execute(f"SELECT name FROM {HISTORY_TABLE}") if HISTORY_TABLE in tables else ()
        return Inspection(version, tables, frozenset(name for (name,) in applied))


def _columns(reader: sqlite3.Connection, table: str) -> frozenset[str]:
    rows = reader.execute("SELECT name FROM pragma_table_info(?)", [table])
    return frozenset(name for (name,) in rows)


def _lacking(found: Inspection) -> list[str]:
    """The columns of our models that the database does not have."""
    return [
        f"{table._meta.table_name}.{column}"
        for table in TABLES
        for column in table._meta.columns
        if column not in found.tables.get(table._meta.table_name, ())
    ]


def is_behind(found: Inspection, steps: Path = migrations.FOLDER) -> bool:
    """Whether a database has yet to be migrated."""
    return not {step.stem for step in steps.glob("[0-9]*.py")} <= found.applied


def latest_version(steps: Path = migrations.FOLDER) -> int:
    """The version of the schema that this program works with."""
    return max((int(step.name[:4]) for step in steps.glob("[0-9]*.py")), default=FIRST_VERSION)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write and leaves no file behind. The caller closes it."""
    return sqlite3.connect(read_only_url(path), uri=True, timeout=WAIT_SECONDS)


def read_only_url(path: Path) -> str:
    """The URL to open a database for reading only.

    SQLite creates a journal even to read, unless the file is opened as immutable. That is safe while nobody
    writes, which the absence of a journal shows.
    """
    is_closed = not any(path.with_name(path.name + suffix).exists() for suffix in JOURNALS)
    return url_of(path, "ro") + ("&immutable=1" if is_closed else "")


def url_of(path: Path, mode: str) -> str:
    """The SQLite URL of a file; `mode` is "ro" or "rw"."""
    return f"{path.absolute().as_uri()}?mode={mode}"
