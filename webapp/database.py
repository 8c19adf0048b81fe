"""The database as a file: made, opened, migrated, refused and copied. Its rows belong to the store.

SQLite's `user_version` says the version of the tables. peewee's runner notes in `schema_migration`
which files of `webapp.migrations` a database has had; a new one is made as the models say and had all.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playhouse.migrations import Runner

from webapp import migrations, storage
from webapp.errors import BadDatabase, DiskFull, FlowshelfError, FolderGone, NewerDatabase, Overloaded
from webapp.models import INDEXES, SECRET_TABLES, TABLES, Image, db
from webapp.times import now

log = logging.getLogger(__name__)

FIRST_VERSION = 1
HISTORY_TABLE = "schema_migration"
WAIT_SECONDS = 10
# What SQLite says, and what it means for a person.
_PROBLEMS = (
    (
        "database or disk is full",
        DiskFull,
        "The disk that holds the data folder is full. Make room there, then go on; nothing was lost.",
    ),
    (
        "readonly database",
        FolderGone,
        "The data folder cannot be written to. Make it and its disk writable, then go on; nothing was lost.",
    ),
    (
        "unable to open database",
        FolderGone,
        "The database in the data folder is not there or cannot be opened. If its disk was taken out, "
        "connect it again; nothing was changed.",
    ),
    (
        "disk I/O error",
        FolderGone,
        "The disk that holds the data folder is full, or does not read and write as it should. Make room or "
        "look after it, then go on; “flowshelf doctor” says more.",
    ),
    (
        "database is locked",
        Overloaded,
        "Another program holds the database and does not let go of it. Close it, then try again.",
    ),
    (
        "not a database",
        BadDatabase,
        "The file of the database is damaged or none. End Flowshelf and put a backup in its place.",
    ),
    (
        "malformed",
        BadDatabase,
        "The database is damaged. End Flowshelf and put a backup in its place; “flowshelf doctor” says more.",
    ),
)


@dataclass(frozen=True, slots=True)
class Peek:
    """What a database file says of itself: its version (0: none), the columns of its tables by their names,
    the migrations it has had."""

    version: int
    tables: dict[str, frozenset[str]]
    applied: frozenset[str]


# Opening


def open_database(path: Path, *, on_network: bool = False, steps: Path = migrations.FOLDER) -> None:
    """Point the program at its database, make it when it is missing, and bring it to this version.

    On a network share SQLite's write-ahead log does not work: another journal is used there. Raises
    NewerDatabase and BadDatabase for a file that is not ours to open, and leaves it as it is.
    """
    with storage.explained(path.parent), explained():
        if path.exists():
            check(path, steps)
        else:
            # Made with its final mode: SQLite gives its -wal and -shm files the mode of the database.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        _allow_nobody_else(path)
        journal = "truncate" if on_network else "wal"
        pragmas = {"journal_mode": journal, "foreign_keys": 1, "synchronous": "normal"}
        # mode=rw: a database that is taken away while we run must not come back as an empty one.
        db.init(address(path, "rw"), uri=True, pragmas=pragmas, timeout=WAIT_SECONDS)
        with db.connection_context():
            _make_or_migrate(path, Runner(db, str(steps), HISTORY_TABLE))


def check(path: Path, steps: Path = migrations.FOLDER) -> Peek:
    """What is in a database file. Raises NewerDatabase or BadDatabase when it is not one of ours."""
    found = peek(path)
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


def peek(path: Path) -> Peek:
    """Look into a database file without changing it."""
    with explained(), closing(reading(path)) as reader:
        (version,) = reader.execute("PRAGMA user_version").fetchone()
        named = reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = {name: _columns(reader, name) for (name,) in named}
        had = reader.execute(f"SELECT name FROM {HISTORY_TABLE}") if HISTORY_TABLE in tables else ()
        return Peek(version, tables, frozenset(name for (name,) in had))


def _columns(reader: sqlite3.Connection, table: str) -> frozenset[str]:
    rows = reader.execute("SELECT name FROM pragma_table_info(?)", [table])
    return frozenset(name for (name,) in rows)


def _lacking(found: Peek) -> list[str]:
    """What the program works with and the database does not have."""
    return [
        f"{table._meta.table_name}.{column}"
        for table in TABLES
        for column in table._meta.columns
        if column not in found.tables.get(table._meta.table_name, ())
    ]


def is_behind(found: Peek, steps: Path = migrations.FOLDER) -> bool:
    """Whether a database lacks migrations that this program knows."""
    return not {step.stem for step in steps.glob("[0-9]*.py")} <= found.applied


def latest_version(steps: Path = migrations.FOLDER) -> int:
    """The version of the tables that this program knows."""
    return max((int(step.name[:4]) for step in steps.glob("[0-9]*.py")), default=FIRST_VERSION)


def reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write and leaves no file behind. The caller closes it."""
    return sqlite3.connect(_resting_address(path), uri=True, timeout=WAIT_SECONDS)


def _resting_address(path: Path) -> str:
    """Of a file that nobody writes SQLite needs no journal, and else makes one even to read."""
    is_at_rest = not any(path.with_name(path.name + ending).exists() for ending in ("-wal", "-journal"))
    return address(path, "ro") + ("&immutable=1" if is_at_rest else "")


def address(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def keep_open() -> sqlite3.Connection:
    """A connection that only stays until it is closed. When the last one closes, SQLite writes its
    journal back and removes it, which costs a request more than its queries do."""
    keeper = sqlite3.connect(db.database, uri=True, check_same_thread=False)
    keeper.execute("PRAGMA user_version").fetchone()
    return keeper


def _make_or_migrate(path: Path, runner: Runner) -> None:
    if not db.get_tables():
        with db.atomic("IMMEDIATE"):
            db.create_tables(TABLES)
            for statement in INDEXES:
                db.execute_sql(statement)
            if runner.migrations():
                runner.fake()
            db.pragma("user_version", latest_version(Path(runner.directory)))
    elif pending := [step for step in runner.status() if not step.applied]:
        moment = now()[:19].replace(":", "")
        backup = path.with_name(f"{path.stem}-before-{pending[-1].name[:4]}-{moment}.bak")
        copy_database(path, backup)
        # A warning, because commands show nothing less.
        log.warning("The database gets new tables. As it was, without cookies, it is kept as %s", backup)
        for step in pending:
            runner.up(step.name)
            db.pragma("user_version", step.idx)
            log.info("The database is at version %s now (%s)", step.idx, step.name)


def _allow_nobody_else(path: Path) -> None:
    """Also for what SQLite keeps beside it: a process that was killed leaves those files behind."""
    for file in (path, *path.parent.glob(f"{path.name}-*")):
        if file.stat().st_mode & 0o777 != 0o600:
            file.chmod(0o600)


# Copying


def copy_database(source: Path, target: Path, *, with_secrets: bool = False) -> None:
    """Write `source` as it is at this moment to `target`, 0600, whole or not at all; others may go on
    writing. Without cookies and keys unless `with_secrets`: then they never touch the disk of the copy.

    Raises DiskFull, FolderGone and BadDatabase.
    """
    left_out = () if with_secrets else {table._meta.table_name for table in SECRET_TABLES}
    with storage.writing_beside(target) as part, _copying_to(target), closing(_writing(part)) as copy:
        copy.execute("PRAGMA journal_mode = memory")
        is_writable = os.access(source.parent, os.W_OK)
        where = address(source, "rw") if is_writable else _resting_address(source)
        copy.execute("ATTACH ? AS source", [where])
        copy.execute("BEGIN")
        _copy_tables(copy, left_out)
        copy.execute("COMMIT")


@contextmanager
def _copying_to(target: Path) -> Iterator[None]:
    try:
        with explained():
            yield
    except DiskFull as error:
        raise DiskFull(
            f"The disk that holds {target.parent} is full. Make room there or name another place; no copy "
            "was made."
        ) from error


def _writing(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(address(path, "rw"), isolation_level=None, uri=True, timeout=WAIT_SECONDS)


def _copy_tables(copy: sqlite3.Connection, left_out: set[str]) -> None:
    """In one transaction, and so as of one moment; triggers come last and see nothing of it."""
    (version,) = copy.execute("PRAGMA source.user_version").fetchone()
    made = copy.execute(
        "SELECT type, name, sql FROM source.sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'trigger'"
    ).fetchall()
    for kind, name, sql in made:
        if kind == "table" and sql.upper().startswith("CREATE VIRTUAL"):
            _declare(copy, name, sql)
        elif kind == "table" and not name.startswith("sqlite_"):
            copy.execute(sql)
            if name not in left_out:
                order = "" if "WITHOUT ROWID" in sql.upper() else "ORDER BY rowid"
                copy.execute(f'INSERT INTO main."{name}" SELECT * FROM source."{name}" {order}')
    if any(name == "sqlite_sequence" for _, name, _ in made):
        copy.execute("DELETE FROM main.sqlite_sequence")
        copy.execute("INSERT INTO main.sqlite_sequence SELECT * FROM source.sqlite_sequence")
    for kind, _, sql in made:
        if kind != "table":
            copy.execute(sql)
    copy.execute(f"PRAGMA main.user_version = {version}")


def _declare(copy: sqlite3.Connection, name: str, sql: str) -> None:
    """A full-text index is a declaration over tables that are copied like any other, as SQLite's own
    `.dump` does it; made by its statement it would make them a second time."""
    copy.execute("PRAGMA writable_schema = on")
    copy.execute("INSERT INTO main.sqlite_master VALUES ('table', ?, ?, 0, ?)", [name, name, sql])
    copy.execute("PRAGMA writable_schema = off")


# What goes wrong


def problem_of(error: BaseException | None) -> FlowshelfError | None:
    """What an error of the database means for a person, None when it is a fault of ours.

    When a disk is full SQLite ends the transaction by itself, and peewee's own attempt to do so hides
    the reason: hence the errors before it.
    """
    while error is not None:
        for text, kind, sentence in _PROBLEMS:
            if text in str(error):
                return kind(sentence)
        error = error.__context__
    return None


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors of the database into sentences for a person."""
    try:
        yield
    except FlowshelfError:
        raise
    except Exception as error:
        if problem := problem_of(error):
            raise problem from error
        raise
