"""Favourites and collections, and what guests are shown."""

from peewee import TextField

STATEMENTS = (
    "CREATE TABLE favourite (name TEXT NOT NULL PRIMARY KEY, favourite_at TEXT NOT NULL)",
    """CREATE TABLE collection (id TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL UNIQUE COLLATE NOCASE,
    cover_name TEXT, created_at TEXT NOT NULL)""",
    """CREATE TABLE collection_image (id INTEGER NOT NULL PRIMARY KEY, collection_id TEXT NOT NULL,
    name TEXT NOT NULL, image_id TEXT, image_at TEXT, added_at TEXT NOT NULL,
    FOREIGN KEY (collection_id) REFERENCES collection (id) ON DELETE CASCADE)""",
    "CREATE UNIQUE INDEX collection_image_collection_id_name ON collection_image (collection_id, name)",
    """CREATE TABLE past_choice (id INTEGER NOT NULL PRIMARY KEY, collection_id TEXT, name TEXT NOT NULL,
    chosen_at TEXT NOT NULL, removed_at TEXT NOT NULL,
    FOREIGN KEY (collection_id) REFERENCES collection (id) ON DELETE CASCADE)""",
    # `flowshelf restore` has made it in an older copy.
    """CREATE TABLE IF NOT EXISTS guest_access (id INTEGER NOT NULL PRIMARY KEY, view TEXT NOT NULL,
    is_on INTEGER NOT NULL)""",
    """CREATE TABLE guest_collection (collection_id TEXT NOT NULL PRIMARY KEY,
    FOREIGN KEY (collection_id) REFERENCES collection (id) ON DELETE CASCADE)""",
)


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("veo3_image_generations", "favourite_at", TextField(null=True)),
        migrator.add_column("export", "collection_title", TextField(null=True)),
    )
    for statement in STATEMENTS:
        db.execute_sql(statement)
