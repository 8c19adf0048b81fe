"""Projects, what became of each image, counts by sort, what a second service tells, and sessions."""

from peewee import BooleanField, TextField

IMAGES = "veo3_image_generations"
TABLES = (
    """CREATE TABLE project (id INTEGER NOT NULL PRIMARY KEY, profile_id TEXT NOT NULL,
       remote_id TEXT NOT NULL, title TEXT NOT NULL, listed_at TEXT, read_at TEXT NOT NULL,
       FOREIGN KEY (profile_id) REFERENCES profile (id) ON DELETE CASCADE)""",
    "CREATE INDEX project_profile_id ON project (profile_id)",
    "CREATE UNIQUE INDEX project_profile_id_remote_id ON project (profile_id, remote_id)",
    """CREATE TABLE image_event (id INTEGER NOT NULL PRIMARY KEY, image_id TEXT NOT NULL, kind TEXT NOT NULL,
       reason TEXT, created_at TEXT NOT NULL,
       FOREIGN KEY (image_id) REFERENCES veo3_image_generations (id) ON DELETE CASCADE)""",
    "CREATE INDEX image_event_image_id ON image_event (image_id)",
    """CREATE TABLE image_tally (id INTEGER NOT NULL PRIMARY KEY, profile_id TEXT NOT NULL,
       month TEXT NOT NULL, kind TEXT NOT NULL, aspect_ratio TEXT NOT NULL, model_name TEXT NOT NULL,
       has_file INTEGER NOT NULL, image_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL)""",
    """CREATE TABLE session (id_hash TEXT NOT NULL PRIMARY KEY, role TEXT NOT NULL,
       code_hash TEXT NOT NULL, created_at TEXT NOT NULL)""",
    # What columns still know of the past.
    f"""INSERT INTO image_event (image_id, kind, reason, created_at)
       SELECT id, 'downloaded', NULL, downloaded_at FROM {IMAGES} WHERE downloaded_at IS NOT NULL
       UNION ALL SELECT id, 'damaged', NULL, damaged_at FROM {IMAGES} WHERE damaged_at IS NOT NULL
       UNION ALL SELECT id, 'gone', NULL, gone_upstream_at FROM {IMAGES} WHERE gone_upstream_at IS NOT NULL
       UNION ALL SELECT id, 'hidden', NULL, hidden_at FROM {IMAGES} WHERE hidden_at IS NOT NULL
       UNION ALL SELECT image_id, 'failed', error, finished_at FROM download
       WHERE state = 'failed' AND finished_at IS NOT NULL
       ORDER BY 4""",
    # It is another one now, under the same name.
    "DROP INDEX images_without_file",
)


def up(migrator, db):
    for statement in TABLES:
        db.execute_sql(statement)
    migrator.migrate(
        migrator.add_column("profile", "service", TextField(null=True)),
        migrator.add_column("history", "shows_changes", BooleanField(default=False)),
        migrator.add_column(IMAGES, "title", TextField(null=True)),
        migrator.add_column(IMAGES, "version", TextField(null=True)),
        migrator.add_column(IMAGES, "is_archived", BooleanField(null=True)),
    )
