"""The database of this process, and the base class of its tables."""

import sqlite3
from functools import partial

from peewee import Model, SqliteDatabase


class Database(SqliteDatabase):
    """Reads damaged text with replacement signs, where sqlite3 would raise an error for the whole row."""

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
