"""Migrations: one small file per change of the schema, applied in order by `webapp.database.opening`.

A file is named `0002_what_it_does.py`, with the next free number, and has a function `up(migrator, db)`,
which peewee's `playhouse.migrations` calls:

    from peewee import TextField

    def up(migrator, db):
        migrator.migrate(migrator.add_column("run", "colour", TextField(null=True)))

Spell out tables and columns, with `db.execute_sql` or with models defined in the file. Do not import
`webapp.database.models`: those change later, and a migration must always do the same. Indexes and triggers
are created after the migrations, if they are missing; a migration only drops those whose definition changed
under the same name. A test checks that a migrated database has the same schema as a new one.

The number of the last file is the version of the schema; version 1 is that of the first release. A released
file is never changed.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
