"""Sizes of pictures, reasons for ignoring, accounts without e-mail, and when a project was tried and read.

The reader before this one kept nothing of flow.google.com and yet marked every project as read. So all
marks go, and the next sync reads every project.
"""

from peewee import BooleanField, IntegerField, TextField

IMAGES = "veo3_image_generations"
PROJECT_COLUMNS = "id, profile_id, remote_id, title, made_at"
STATEMENTS = (
    # A NOT NULL cannot be taken away from a column, so the table is made anew.
    "DROP INDEX project_profile_id",
    "DROP INDEX project_profile_id_remote_id",
    "ALTER TABLE project RENAME TO project_before",
    """CREATE TABLE project (id INTEGER NOT NULL PRIMARY KEY, profile_id TEXT NOT NULL,
       remote_id TEXT NOT NULL, title TEXT NOT NULL, made_at TEXT, newest_at TEXT, read_at TEXT,
       read_walk_id INTEGER, tried_at TEXT, tried_walk_id INTEGER, trouble TEXT, listed_walk_id INTEGER,
       unlisted_at TEXT, deleted_at TEXT, due_walk_id INTEGER, reader TEXT, empty_walk_id INTEGER,
       empty_count INTEGER NOT NULL, empty_on TEXT,
       FOREIGN KEY (profile_id) REFERENCES profile (id) ON DELETE CASCADE)""",
    f"""INSERT INTO project ({PROJECT_COLUMNS}, empty_count)
       SELECT id, profile_id, remote_id, title, listed_at, 0 FROM project_before""",
    "DROP TABLE project_before",
    "CREATE INDEX project_profile_id ON project (profile_id)",
    "CREATE UNIQUE INDEX project_profile_id_remote_id ON project (profile_id, remote_id)",
    # A gap of the head that does not join; what an older gap says of the part above it is not true.
    "DELETE FROM gap WHERE history = 'PROJECTS'",
    """INSERT INTO gap (profile_id, history, cursor, may_join, reason, opened_at)
       SELECT profile_id, name, '', 0, 'an earlier Flowshelf read this history wrongly',
       strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') FROM history WHERE name = 'PROJECTS'""",
    # Walks of projects end, and a run that is under way begins another one at the head.
    """UPDATE walk SET is_full = 0, unseen_count = 0, finished_at = COALESCE(finished_at, began_at)
       WHERE history = 'PROJECTS'""",
    """UPDATE run SET walk_id = NULL, history = NULL, history_page_count = 0
       WHERE history = 'PROJECTS' AND state IN ('running', 'waiting_for_cookies')""",
    "UPDATE profile SET is_unchecked = 1 WHERE health = 'unchecked'",
    "UPDATE history SET synced_at = NULL WHERE name = 'PROJECTS'",
    """UPDATE run SET state = 'paused', finished_at = pause_asked_at
       WHERE state = 'running' AND pause_asked_at IS NOT NULL""",
    "CREATE UNIQUE INDEX profile_account_key ON profile (account_key)",
)


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("profile", "account_key", TextField(null=True)),
        migrator.add_column("profile", "rests_until", TextField(null=True)),
        migrator.add_column("profile", "is_unchecked", BooleanField(default=False)),
        migrator.add_column("history", "head_run_id", TextField(null=True)),
        migrator.add_column("history", "head_asked_count", IntegerField(default=0)),
        migrator.add_column("walk", "is_quick", BooleanField(default=False)),
        migrator.add_column("walk", "by_project", BooleanField(default=False)),
        migrator.add_column("run", "asked_count", IntegerField(default=0)),
        migrator.add_column("run", "ignored_reasons", TextField(default="{}")),
        migrator.add_column(IMAGES, "width", IntegerField(null=True)),
        migrator.add_column(IMAGES, "height", IntegerField(null=True)),
    )
    for statement in STATEMENTS:
        db.execute_sql(statement)
    db.execute_sql("ALTER TABLE history DROP COLUMN shows_changes")
    db.execute_sql("ALTER TABLE run DROP COLUMN pause_asked_at")
