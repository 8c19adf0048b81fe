"""Which walk read a project last: only of a project that it read can a walk say what is gone."""

from peewee import IntegerField


def up(migrator, db):
    migrator.migrate(migrator.add_column("project", "read_walk_id", IntegerField(null=True)))
