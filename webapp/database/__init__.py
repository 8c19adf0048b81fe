"""The database as a file: made, opened, migrated, refused and copied. Its rows belong to the store.

SQLite's `user_version` says the version of the tables. peewee's runner notes in `schema_migration`
which files of `migrations` a database has had; a new one is made as the models say and had all.

problems    what SQLite says, in sentences
looking     what is in a file, without changing it
copying     a copy while others write
opening     made, migrated, opened
"""

from webapp.database.backup import copy_database
from webapp.database.inspection import Inspection, check, inspect, is_behind, latest_version, reading
from webapp.database.opening import keep_open, look_at_sizes, open_database
from webapp.database.problems import problem_of, translate_errors

__all__ = [
    "Inspection",
    "check",
    "copy_database",
    "inspect",
    "is_behind",
    "keep_open",
    "latest_version",
    "look_at_sizes",
    "open_database",
    "problem_of",
    "reading",
    "translate_errors",
]
