"""Favourites and collections hold names; these triggers connect them with the rows of images.

A row that comes back by a sync or an import finds its choices again.
"""

_IMAGES = "veo3_image_generations"
_FAVOURITE_AT = "(SELECT favourite_at FROM favourite WHERE name = {0}.name)"

STATEMENTS = (
    f"""CREATE TRIGGER IF NOT EXISTS choices_insert AFTER INSERT ON {_IMAGES} BEGIN
        UPDATE collection_image SET image_id = new.id, image_at = new.created_at WHERE name = new.name;
        UPDATE {_IMAGES} SET favourite_at = {_FAVOURITE_AT.format("new")}
            WHERE id = new.id AND favourite_at IS NOT {_FAVOURITE_AT.format("new")};
    END""",
    f"""CREATE TRIGGER IF NOT EXISTS choices_delete AFTER DELETE ON {_IMAGES} BEGIN
        UPDATE collection_image SET image_id = NULL, image_at = NULL WHERE name = old.name;
    END""",
    f"""CREATE TRIGGER IF NOT EXISTS choices_update AFTER UPDATE OF created_at ON {_IMAGES}
        WHEN new.created_at IS NOT old.created_at BEGIN
        UPDATE collection_image SET image_at = new.created_at WHERE name = new.name;
    END""",
    f"""CREATE TRIGGER IF NOT EXISTS favourite_insert AFTER INSERT ON favourite BEGIN
        UPDATE {_IMAGES} SET favourite_at = new.favourite_at WHERE name = new.name;
    END""",
    f"""CREATE TRIGGER IF NOT EXISTS favourite_delete AFTER DELETE ON favourite BEGIN
        UPDATE {_IMAGES} SET favourite_at = NULL WHERE name = old.name;
    END""",
)

REBUILD = (
    f"""UPDATE {_IMAGES} SET favourite_at = {_FAVOURITE_AT.format(_IMAGES)}
        WHERE favourite_at IS NOT {_FAVOURITE_AT.format(_IMAGES)}""",
    f"""UPDATE collection_image SET (image_id, image_at) = (SELECT image.id, image.created_at
        FROM {_IMAGES} AS image WHERE image.name = collection_image.name)""",
)
