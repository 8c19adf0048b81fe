"""The database of this process, and the base class of its tables."""

import sqlite3
import threading
from functools import partial
from typing import Any

from peewee import Model, SqliteDatabase

_READING = ("SELECT", "PRAGMA", "EXPLAIN", "WITH")


class Database(SqliteDatabase):
    """Reads damaged text with replacement signs, where sqlite3 would raise an error for the whole row.

    `version` rises with every write of this process. While a server runs, no other process writes: the
    lock of the data folder sees to that.
    """

    _version_lock = threading.Lock()
    version = 0

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


# `webapp.database.open_database` binds it to a file, one per process at a time. Without `autoconnect` a
# thread that forgot to open a connection gets an error, instead of a connection that nobody closes.
db = Database(None, autoconnect=False)


class BaseModel(Model):
    class Meta:
        database = db
        legacy_table_names = False
