"""When the modification time of a file was set to the time its image was made; null: not yet."""

from peewee import TextField


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("veo3_image_generations", "file_time_at", TextField(null=True)),
    )
