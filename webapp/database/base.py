"""The database of this process, and the base class of its tables."""

import os
import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Any

from peewee import Model
from playhouse.pool import PooledSqliteDatabase

_READING = ("SELECT", "PRAGMA", "EXPLAIN", "WITH")


class Database(PooledSqliteDatabase):
    """Reads damaged text with replacement signs, where sqlite3 would raise an error for the whole row.

    After `keep_open` a connection that somebody closes stays open for the next who needs one: opening one
    takes longer than most queries. None is kept once the file was replaced or is gone, because what is
    written to the old one would be lost, or once it cannot be written to, because a new one says so.

    `version` rises with every write of this process. While a server runs, no other process writes: the
    lock of the data folder sees to that.
    """

    _version_lock = threading.Lock()
    version = 0
    _kept_path: Path | None = None
    _kept_file: tuple[int, int] | None = None

    def init(self, database: str | None, **settings: Any) -> None:
        self.close_kept()  # those of another file
        # A kept connection is used by one thread after the other, never by two at the same time.
        super().init(database, **settings | {"check_same_thread": False})

    def keep_open(self, path: Path) -> None:
        """Keep connections to the database at `path`, which is open, until `close_kept`."""
        self._kept_path, self._kept_file = path, _identity(path)
        with self.connection_context():  # the first to stay open
            self.execute_sql("PRAGMA user_version")

    def close_kept(self) -> None:
        """Close the connections that nobody uses, and from now on each when its user is done."""
        self._kept_path = self._kept_file = None
        self.close_idle()

    def _can_reuse(self, connection: sqlite3.Connection) -> bool:
        return self._is_kept() and bool(super()._can_reuse(connection))

    def _is_closed(self, connection: sqlite3.Connection) -> bool:
        return not self._is_kept()

    def _is_kept(self) -> bool:
        kept = self._kept_file
        return self._kept_path is not None and kept is not None and _identity(self._kept_path) == kept

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        try:
            return super().execute_sql(sql, params)
        finally:
            if not sql.lstrip().startswith(_READING):
                self._note_write()

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self._note_write()  # only now others see what was written

    def _note_write(self) -> None:
        with self._version_lock:  # it must never fall: `page_cache` compares which of two is later
            type(self).version += 1

    def connect(self, reuse_if_open: bool = False) -> bool:
        is_new = super().connect(reuse_if_open=reuse_if_open)
        if is_new:
            connection: sqlite3.Connection = self.connection()
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        return is_new


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None where there is none that can be written to."""
    try:
        found = os.stat(path)
        return (found.st_dev, found.st_ino) if os.access(path, os.W_OK) else None
    except OSError:
        return None


# `webapp.database.open_database` binds it to a file, one per process at a time. Without `autoconnect` a
# thread that forgot to open a connection gets an error, instead of a connection that nobody closes.
# Without a limit of its own: each thread uses one connection, and the threads are limited.
db = Database(None, autoconnect=False, max_connections=0)


class BaseModel(Model):
    class Meta:
        database = db
        legacy_table_names = False
