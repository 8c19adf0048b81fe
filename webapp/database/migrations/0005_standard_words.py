"""Columns and a state under the names that the field has for them. Nothing else changes."""

RENAMED = (
    ("profile", "rests_until", "cooldown_until"),
    ("history", "answered_at", "responded_at"),
    ("project", "trouble", "failure"),
    ("project", "reader", "reader_version"),
    ("walk", "owes_gap", "keeps_gap"),
    ("walk", "unseen_count", "missing_count"),
    ("run", "wished_count", "download_count"),
)


def up(migrator, db):
    for table, before, after in RENAMED:
        db.execute_sql(f"ALTER TABLE {table} RENAME COLUMN {before} TO {after}")
    db.execute_sql("UPDATE download SET state = 'queued' WHERE state = 'wanted'")
