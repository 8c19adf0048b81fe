"""Sessions of owners that hold for one browser. Those from before belong to nobody known, so they end."""

from peewee import TextField


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("session", "client_hash", TextField(null=True)),
        migrator.add_column("session", "code_at", TextField(null=True)),
    )
    db.execute_sql("DELETE FROM session WHERE role = 'owner'")
