"""Paths of files are stored relative to the folder `images` of the data folder, or to another storage root.

Paths below other roots stay absolute here, because their roots are not known yet: they follow at the start.
"""

from pathlib import Path

from peewee import IntegerField

IMAGES = "veo3_image_generations"


def up(migrator, db):
    db.execute_sql("CREATE TABLE storage_root (id INTEGER NOT NULL PRIMARY KEY, path TEXT NOT NULL)")
    db.execute_sql("CREATE UNIQUE INDEX storage_root_path ON storage_root (path)")
    migrator.migrate(migrator.add_column(IMAGES, "root_id", IntegerField(null=True)))
    (file,) = [path for _, name, path in db.execute_sql("PRAGMA database_list").fetchall() if name == "main"]
    below = str(Path(file).parent / "images") + ("\\" if ":\\" in file else "/")
    db.execute_sql(
        f"""UPDATE {IMAGES} SET local_path = REPLACE(SUBSTR(local_path, ?), '\\', '/')
        WHERE SUBSTR(local_path, 1, ?) = ?""",
        (len(below) + 1, len(below), below),
    )
