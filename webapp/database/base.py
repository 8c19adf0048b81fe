"""The database of this process, and the base class of its tables."""

from peewee import Model, SqliteDatabase

# `webapp.database.open_database` binds it to a file, one per process at a time. Without `autoconnect` a
# thread that forgot to open a connection gets an error, instead of a connection that nobody closes.
db = SqliteDatabase(None, autoconnect=False)


class BaseModel(Model):
    class Meta:
        database = db
        legacy_table_names = False
