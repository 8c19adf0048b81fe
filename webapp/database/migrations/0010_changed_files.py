"""The sha256 of a file that was changed outside Flowshelf, until a person keeps it or downloads it again."""

from peewee import TextField


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("veo3_image_generations", "changed_sha256", TextField(null=True)),
    )
