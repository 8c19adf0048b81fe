"""`image_tally`: counts of images that are not hidden, and the bytes of their files, grouped by `_GROUP`.

Counting a million images takes a second; adding up these few hundred rows takes a millisecond.
"""

# The columns of a group, and how each follows from a row of images.
_GROUP = {
    "profile_id": "{0}.profile_id",
    "month": "SUBSTR({0}.created_at, 1, 7)",
    "kind": "COALESCE({0}.kind, '')",
    "aspect_ratio": "COALESCE({0}.aspect_ratio, '')",
    "model_name": "COALESCE({0}.model_name, '')",
    "has_file": "{0}.local_path IS NOT NULL",
}
_COLUMNS = ", ".join(_GROUP)
_CHANGES = "hidden_at, local_path, size_bytes, profile_id, created_at, kind, aspect_ratio, model_name"


def _group_of(row: str) -> str:
    return ", ".join(_GROUP.values()).format(row)


def _bytes_of(row: str) -> str:
    return f"CASE WHEN {row}.local_path IS NOT NULL THEN COALESCE({row}.size_bytes, 0) ELSE 0 END"


def _add(row: str, sign: str) -> str:
    return f"""INSERT INTO image_tally ({_COLUMNS}, image_count, size_bytes)
        SELECT {_group_of(row)}, {sign}1, {sign}({_bytes_of(row)}) WHERE {row}.hidden_at IS NULL
        ON CONFLICT ({_COLUMNS}) DO UPDATE SET
        image_count = image_count + excluded.image_count, size_bytes = size_bytes + excluded.size_bytes;"""


STATEMENTS = (
    f"CREATE UNIQUE INDEX IF NOT EXISTS tally_by_sort ON image_tally ({_COLUMNS})",
    f"""CREATE TRIGGER IF NOT EXISTS tally_insert AFTER INSERT ON veo3_image_generations
        BEGIN {_add("new", "")} END""",
    f"""CREATE TRIGGER IF NOT EXISTS tally_delete AFTER DELETE ON veo3_image_generations
        BEGIN {_add("old", "-")} END""",
    f"""CREATE TRIGGER IF NOT EXISTS tally_update AFTER UPDATE OF {_CHANGES} ON veo3_image_generations
        BEGIN {_add("old", "-")} {_add("new", "")} END""",
)

REBUILD = (
    "DELETE FROM image_tally",
    f"""INSERT INTO image_tally ({_COLUMNS}, image_count, size_bytes)
        SELECT {_group_of("image")}, COUNT(*), SUM({_bytes_of("image")})
        FROM veo3_image_generations AS image WHERE image.hidden_at IS NULL GROUP BY 1, 2, 3, 4, 5, 6""",
)
