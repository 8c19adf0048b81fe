"""Two indexes have more columns from now on. They are created again after the migrations."""


def up(migrator, db):
    for name in ("images_by_time", "images_by_download"):
        db.execute_sql(f"DROP INDEX IF EXISTS {name}")
