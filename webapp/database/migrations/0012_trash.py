"""A table of files in the trash, and for each download the sha256 of what Flow sent.

Version 0.1 set both times in the same statement, and nothing there could change a file or its sha256 later.
"""

from peewee import TextField

TABLE = """CREATE TABLE trashed_file (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, act TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, image_id TEXT NOT NULL, name TEXT NOT NULL,
    profile_id TEXT NOT NULL, profile_name TEXT NOT NULL, account TEXT, root_id INTEGER,
    local_path TEXT NOT NULL, trash_path TEXT NOT NULL, target_path TEXT, size_bytes INTEGER, sha256 TEXT,
    fetched_sha256 TEXT, damaged_at TEXT, changed_sha256 TEXT, after_walk_id INTEGER NOT NULL,
    trashed_at TEXT NOT NULL)"""
FETCHED = """UPDATE download SET fetched_sha256 = (SELECT image.sha256 FROM veo3_image_generations AS image
    WHERE image.id = download.image_id AND image.downloaded_at = download.finished_at
      AND image.changed_sha256 IS NULL) WHERE state = 'done'"""


def up(migrator, db):
    db.execute_sql(TABLE)
    migrator.migrate(migrator.add_column("download", "fetched_sha256", TextField(null=True)))
    db.execute_sql(FETCHED)
