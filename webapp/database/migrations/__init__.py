"""How a database of an earlier Flowshelf becomes one of this Flowshelf: one small file per step.

A step is `0002_what_it_does.py`, the next free number first, with `up(migrator, db)` as peewee's
`playhouse.migrations` runs it:

    from peewee import TextField

    def up(migrator, db):
        migrator.migrate(migrator.add_column("run", "colour", TextField(null=True)))

Say tables and columns in full there, by `db.execute_sql` or models of the file's own, and never by
`webapp.database.models`, which go on changing. Indexes and triggers are made afterwards by themselves; a
step only drops those that changed under the same name. A test holds that a migrated database
has the same as a new one. The number of the last file is the version of the database; version 1 is what the
first release made. A released file is never changed again.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
