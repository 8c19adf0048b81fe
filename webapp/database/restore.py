"""Restore a database from a copy, while nobody has it open."""

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from webapp import storage
from webapp.database.backup import copy_database
from webapp.database.inspection import check, inspect, open_read_only
from webapp.database.models import Pairing, Removal, Session, TrashedFile
from webapp.database.problems import translate_errors
from webapp.database.triggers import STATEMENTS
from webapp.errors import BadDatabase
from webapp.times import now

_TRIGGER = re.compile(r"CREATE TRIGGER IF NOT EXISTS (\w+)")
OUR_TRIGGERS = frozenset(match[1] for statement in STATEMENTS if (match := _TRIGGER.match(statement.strip())))
# The copy may show guests more than the owner wants by now. A copy of an older version has no such table.
_TURN_GUEST_LINK_OFF = (
    """CREATE TABLE IF NOT EXISTS guest_access (id INTEGER NOT NULL PRIMARY KEY, view TEXT NOT NULL,
    is_on INTEGER NOT NULL)""",
    """INSERT OR REPLACE INTO guest_access (id, view, is_on)
    VALUES (1, COALESCE((SELECT view FROM guest_access WHERE id = 1), 'everything'), 0)""",
)
JOURNALS = ("-wal", "-shm", "-journal")


def restore_database(source: Path, target: Path) -> Path | None:
    """Check the copy `source` and replace the database `target` by it.

    Returns where the previous database was saved, None when there was none. All browsers have to sign in
    again. The caller holds the lock of the data folder. Raises BadDatabase or NewerDatabase for a copy that
    cannot be used, DiskFull and FolderGone; the previous database is then unchanged.
    """
    _require_usable(source)
    part = target.with_name(f".{target.name}-restored.part")
    try:
        copy_database(source, part, with_secrets=True)
        _clean(part)
        with storage.translate_errors(target.parent):
            saved = _save_previous(target)
            # One rename: whoever opens `target` finds either the previous database or the whole copy.
            os.replace(part, target)
    finally:
        _remove([part, *_journals_of(part)])
    return saved


def _require_usable(source: Path) -> None:
    if not source.is_file():
        raise BadDatabase(f"{source} is not a file. Name a copy that “flowshelf backup” wrote.")
    if check(source).version == 0:
        raise BadDatabase(f"{source} is empty: it is no copy of a Flowshelf database. Nothing was changed.")
    with translate_errors(), closing(open_read_only(source)) as copy:
        foreign = [
            name
            for kind, name in copy.execute("SELECT type, name FROM sqlite_master")
            if kind == "view" or (kind == "trigger" and name not in OUR_TRIGGERS)
        ]
        if foreign:
            raise BadDatabase(
                f"{source} contains “{foreign[0]}”, a view or trigger that Flowshelf did not make: it would "
                "run on your data. Nothing was changed. Use a copy that “flowshelf backup” wrote."
            )
        (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok" or copy.execute("PRAGMA foreign_key_check").fetchone():
            raise BadDatabase(f"{source} is damaged. Nothing was changed. Use an older copy.")


def _clean(path: Path) -> None:
    """Delete all sessions, pairings, recorded removals and triggers, and turn the guest link off.

    What was to be removed when the copy was made may be wanted since. Files in the trash stay there as long
    as if they were deleted now; what was on its way is forgotten, and found again where it lies. The next
    start creates the triggers again; those of the copy may do something else under the same names.
    """
    with translate_errors(), closing(sqlite3.connect(path, isolation_level=None)) as copy:
        tables = inspect(path).tables
        for name in (table._meta.table_name for table in (Session, Pairing, Removal)):
            if name in tables:
                copy.execute(f"DELETE FROM {name}")
        if (trash := TrashedFile._meta.table_name) in tables:
            copy.execute(f"DELETE FROM {trash} WHERE state != 'kept'")
            copy.execute(f"UPDATE {trash} SET trashed_at = ?", [now()])
        for statement in _TURN_GUEST_LINK_OFF:
            copy.execute(statement)
        found = copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in found:
            copy.execute(f'DROP TRIGGER "{name}"')


def _save_previous(target: Path) -> Path | None:
    """Give the previous database a second name next to it, and remove its journals.

    SQLite would apply a journal that stays to the restored database, to which it does not belong. Journals
    are copied first, because SQLite deletes one that it cannot read.
    """
    moment = now()[:19].replace(":", "")
    saved = target.with_name(f"{target.stem}-before-restore-{moment}.bak")
    copies = [_copy(journal, saved, target) for journal in _journals_of(target) if journal.exists()]
    if not target.exists():
        _remove(_journals_of(target))
        return None
    try:
        os.link(target, saved)
    except OSError:  # a file system without hard links
        storage.replace_file(saved, target.read_bytes())
    if _is_checkpointed(target):
        _remove(copies)
    _remove(_journals_of(target))
    return saved


def _copy(journal: Path, saved: Path, target: Path) -> Path:
    copy = saved.with_name(saved.name + journal.name.removeprefix(target.name))
    storage.replace_file(copy, journal.read_bytes())
    return copy


def _is_checkpointed(path: Path) -> bool:
    """Let SQLite write the journal into its database. False when the database is damaged: then the copies of
    its journals are needed."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as present:
            (is_busy, *_) = present.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not is_busy
    except sqlite3.Error:
        return False


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _journals_of(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in JOURNALS]
