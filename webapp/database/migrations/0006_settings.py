"""A table of what a person chose on the settings page."""

STATEMENT = "CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)"


def up(migrator, db):
    db.execute_sql(STATEMENT)
