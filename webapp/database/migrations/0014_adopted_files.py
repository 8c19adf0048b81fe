"""When a file was adopted that Flowshelf did not download, and the notifications that were sent."""

from peewee import TextField

STATEMENT = """CREATE TABLE notification (kind TEXT NOT NULL PRIMARY KEY, sent_at TEXT, failed_at TEXT,
    failure TEXT)"""


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("veo3_image_generations", "adopted_at", TextField(null=True)),
    )
    db.execute_sql(STATEMENT)
