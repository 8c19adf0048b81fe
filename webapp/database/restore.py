"""Put a copy of a database back into the data folder, while nobody has it open."""

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from webapp import storage
from webapp.database.backup import copy_database
from webapp.database.inspection import check, inspect, reading
from webapp.database.models import Session
from webapp.database.problems import translate_errors
from webapp.database.triggers import STATEMENTS
from webapp.errors import BadDatabase
from webapp.times import now

_TRIGGER = re.compile(r"CREATE TRIGGER IF NOT EXISTS (\w+)")
OUR_TRIGGERS = frozenset(match[1] for statement in STATEMENTS if (match := _TRIGGER.match(statement.strip())))
JOURNALS = ("-wal", "-shm", "-journal")


def restore_database(source: Path, target: Path) -> Path | None:
    """Check the copy `source` and put it in the place of the database `target`.

    Browsers that were signed in have to sign in again. Returns where the present database is kept; None when
    there was none. The caller holds the lock of the data folder. Raises BadDatabase or NewerDatabase for a
    copy that cannot be used, DiskFull and FolderGone; then the present database is as it was.
    """
    _require_usable(source)
    part = target.with_name(f".{target.name}-restored.part")
    try:
        copy_database(source, part, with_secrets=True)
        _clean(part)
        with storage.translate_errors(target.parent):
            kept = _keep_present(target)
            # From here on the old name means the new database, at one moment.
            os.replace(part, target)
    finally:
        _remove([part, *_journals_of(part)])
    return kept


def _require_usable(source: Path) -> None:
    if not source.is_file():
        raise BadDatabase(f"{source} is not a file. Name a copy that “flowshelf backup” wrote.")
    if check(source).version == 0:
        raise BadDatabase(f"{source} is empty: it is no copy of a Flowshelf database. Nothing was changed.")
    with translate_errors(), closing(reading(source)) as copy:
        foreign = [
            name
            for kind, name in copy.execute("SELECT type, name FROM sqlite_master")
            if kind == "view" or (kind == "trigger" and name not in OUR_TRIGGERS)
        ]
        if foreign:
            raise BadDatabase(
                f"{source} holds “{foreign[0]}”, a view or trigger that Flowshelf did not make: it would run "
                "with your data. Nothing was changed. Take a copy that “flowshelf backup” wrote."
            )
        (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok" or copy.execute("PRAGMA foreign_key_check").fetchone():
            raise BadDatabase(f"{source} is damaged. Nothing was changed. Take an older copy.")


def _clean(path: Path) -> None:
    """Sign everybody out. The triggers go too, and are made anew at the next start: a name like that of ours
    does not show what a trigger does."""
    with translate_errors(), closing(sqlite3.connect(path, isolation_level=None)) as copy:
        if Session._meta.table_name in inspect(path).tables:
            copy.execute(f"DELETE FROM {Session._meta.table_name}")
        found = copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in found:
            copy.execute(f'DROP TRIGGER "{name}"')


def _keep_present(target: Path) -> Path | None:
    """Give the present database a second name next to it, and end its journal: one that stays would be played
    into the restored database, which it does not belong to.

    The journal is copied before SQLite sees it, because SQLite deletes one that it cannot read.
    """
    moment = now()[:19].replace(":", "")
    kept = target.with_name(f"{target.stem}-before-restore-{moment}.bak")
    copies = [_copy(journal, kept, target) for journal in _journals_of(target) if journal.exists()]
    if not target.exists():
        _remove(_journals_of(target))
        return None
    try:
        os.link(target, kept)
    except OSError:  # a file system without hard links
        storage.replace_file(kept, target.read_bytes())
    if _writes_journal_back(target):
        _remove(copies)
    _remove(_journals_of(target))
    return kept


def _copy(journal: Path, kept: Path, target: Path) -> Path:
    copy = kept.with_name(kept.name + journal.name.removeprefix(target.name))
    storage.replace_file(copy, journal.read_bytes())
    return copy


def _writes_journal_back(path: Path) -> bool:
    """Let SQLite write the journal into its database; False for a damaged one, whose journal is kept."""
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
