"""The database as a file: create, migrate, check and copy it. Queries belong to `webapp.store`.

SQLite's `user_version` is the version of the schema. peewee's migration runner records in the table
`schema_migration` which files of `migrations` were applied. A new database is created from the models, with
all migrations recorded as applied.

models      tables and columns
states      the values of state columns
indexes     partial and collated indexes
triggers    tables that the database derives from the images by itself
migrations  one file per change of the schema
problems    SQLite's errors as sentences for a person
inspection  read what a file is without changing it
backup      copy a database while others write
restore     put a copy back in the place of the database
opening     create or migrate a database and open it
"""

from webapp.database.backup import copy_database
from webapp.database.inspection import Inspection, check, inspect, is_behind, latest_version, open_read_only
from webapp.database.opening import close_kept, keep_open, open_database, open_to_read, refresh_statistics
from webapp.database.problems import DAMAGED, problem_of, translate_damage, translate_errors, with_journals

__all__ = [
    "DAMAGED",
    "Inspection",
    "check",
    "close_kept",
    "copy_database",
    "inspect",
    "is_behind",
    "keep_open",
    "latest_version",
    "open_database",
    "open_read_only",
    "open_to_read",
    "problem_of",
    "refresh_statistics",
    "translate_damage",
    "translate_errors",
    "with_journals",
]
