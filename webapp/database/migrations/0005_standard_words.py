"""Rename columns and one state to standard words. No value changes otherwise."""

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
