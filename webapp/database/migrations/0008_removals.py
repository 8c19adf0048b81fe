"""A table of files that are going to be removed, so that a killed removal is carried on."""

STATEMENT = """CREATE TABLE removal (id INTEGER NOT NULL PRIMARY KEY, local_path TEXT NOT NULL,
    root_id INTEGER, image_id TEXT, created_at TEXT NOT NULL)"""


def up(migrator, db):
    db.execute_sql(STATEMENT)
