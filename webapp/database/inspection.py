"""What is in a database file, found out without changing it or leaving a file beside it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from webapp.database import migrations
from webapp.database.models import TABLES, Image
from webapp.database.problems import translate_errors
from webapp.errors import BadDatabase, NewerDatabase

FIRST_VERSION = 1
HISTORY_TABLE = "schema_migration"
WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a database file says of itself: its version (0: none), the columns of its tables by their names,
    the migrations it has had."""

    version: int
    tables: dict[str, frozenset[str]]
    applied: frozenset[str]


def check(path: Path, steps: Path = migrations.FOLDER) -> Inspection:
    """What is in a database file. Raises NewerDatabase or BadDatabase when it is not one of ours."""
    found = inspect(path)
    known = {step.stem for step in steps.glob("[0-9]*.py")}
    if found.version > latest_version(steps) or found.applied - known:
        raise NewerDatabase(
            f"{path} was written by a newer Flowshelf (version {found.version} of the tables, this program "
            f"knows {latest_version(steps)}). Nothing was changed. Install the newer Flowshelf to open it."
        )
    if found.version == 0 and Image._meta.table_name in found.tables:
        raise BadDatabase(
            f"{path} is a database of the Electron program, not of Flowshelf. Nothing was changed. Move it "
            "to another folder and bring it in with “flowshelf import FILE”."
        )
    if found.version == 0 and found.tables:
        raise BadDatabase(
            f"{path} is a database of another program. Nothing was changed. Move it away, or choose "
            "another folder with --data-dir."
        )
    if found.version and not is_behind(found, steps) and (lacking := _lacking(found)):
        raise BadDatabase(
            f"{path} says that it is of version {found.version} and lacks {lacking[0]}: no Flowshelf that "
            "was released made it so. Nothing was changed. Put a backup in its place, or take another folder."
        )
    return found


def inspect(path: Path) -> Inspection:
    """Look into a database file without changing it."""
    with translate_errors(), closing(reading(path)) as reader:
        (version,) = reader.execute("PRAGMA user_version").fetchone()
        named = reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = {name: _columns(reader, name) for (name,) in named}
        had = reader.execute(f"SELECT name FROM {HISTORY_TABLE}") if HISTORY_TABLE in tables else ()
        return Inspection(version, tables, frozenset(name for (name,) in had))


def _columns(reader: sqlite3.Connection, table: str) -> frozenset[str]:
    rows = reader.execute("SELECT name FROM pragma_table_info(?)", [table])
    return frozenset(name for (name,) in rows)


def _lacking(found: Inspection) -> list[str]:
    """What the program works with and the database does not have."""
    return [
        f"{table._meta.table_name}.{column}"
        for table in TABLES
        for column in table._meta.columns
        if column not in found.tables.get(table._meta.table_name, ())
    ]


def is_behind(found: Inspection, steps: Path = migrations.FOLDER) -> bool:
    """Whether a database lacks migrations that this program knows."""
    return not {step.stem for step in steps.glob("[0-9]*.py")} <= found.applied


def latest_version(steps: Path = migrations.FOLDER) -> int:
    """The version of the tables that this program knows."""
    return max((int(step.name[:4]) for step in steps.glob("[0-9]*.py")), default=FIRST_VERSION)


def reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write and leaves no file behind. The caller closes it."""
    return sqlite3.connect(read_only_url(path), uri=True, timeout=WAIT_SECONDS)


def read_only_url(path: Path) -> str:
    """Of a file that nobody writes SQLite needs no journal, and else makes one even to read."""
    is_closed = not any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-journal"))
    return address(path, "ro") + ("&immutable=1" if is_closed else "")


def address(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"
