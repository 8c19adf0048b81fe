"""How a profile signs in: with pasted cookies, a Firefox of this machine, or through a paired browser.

The full-text index, which every migration rebuilds, has prompts and titles in two columns from now on.
"""

from peewee import IntegerField, TextField

STATEMENTS = (
    """CREATE TABLE pairing (id TEXT NOT NULL PRIMARY KEY, profile_id TEXT, key_hash TEXT NOT NULL,
       browser TEXT NOT NULL, version TEXT NOT NULL, account_index INTEGER, created_at TEXT NOT NULL,
       seen_at TEXT, FOREIGN KEY (profile_id) REFERENCES profile (id) ON DELETE CASCADE)""",
    "CREATE INDEX pairing_profile_id ON pairing (profile_id)",
)


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("profile", "way", TextField(default="paste")),
        migrator.add_column("profile", "account_index", IntegerField(null=True)),
        migrator.add_column("profile", "cookies_set_at", TextField(null=True)),
        migrator.add_column("profile", "renewal", TextField(default="off")),
        migrator.add_column("profile", "renewed_at", TextField(null=True)),
        migrator.add_column("profile", "renewal_due_at", TextField(null=True)),
        migrator.add_column("profile", "renewal_problem", TextField(null=True)),
        migrator.add_column("profile", "signed_out_at", TextField(null=True)),
        migrator.add_column("profile", "firefox_folder", TextField(null=True)),
        migrator.add_column("profile", "firefox_container", IntegerField(null=True)),
    )
    for statement in STATEMENTS:
        db.execute_sql(statement)
