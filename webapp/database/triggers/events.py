"""`image_event`: the history of each image. The columns of an image only hold its present state."""

from webapp.database.states import EventKind

_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"

# For each kind of event: the column whose change it records, the condition, and the column with its time
# (None: now).
_OF_IMAGES = (
    (
        EventKind.DOWNLOADED,
        "downloaded_at",
        "new.downloaded_at IS NOT NULL AND new.adopted_at IS NULL",
        "new.downloaded_at",
    ),
    (EventKind.ADOPTED, "adopted_at", "new.adopted_at IS NOT NULL", "new.adopted_at"),
    (EventKind.FILE_GONE, "local_path", "new.local_path IS NULL AND new.not_wanted_at IS NULL", None),
    (EventKind.DELETED, "local_path", "new.local_path IS NULL AND new.not_wanted_at IS NOT NULL", None),
    (EventKind.DAMAGED, "damaged_at", "new.damaged_at IS NOT NULL", "new.damaged_at"),
    (EventKind.CHANGED, "changed_sha256", "new.changed_sha256 IS NOT NULL", None),
    (
        EventKind.KEPT,
        "changed_sha256",
        "new.changed_sha256 IS NULL AND new.sha256 IS old.changed_sha256",
        None,
    ),
    (EventKind.GONE, "gone_upstream_at", "new.gone_upstream_at IS NOT NULL", "new.gone_upstream_at"),
    (EventKind.BACK, "gone_upstream_at", "new.gone_upstream_at IS NULL", None),
    (EventKind.HIDDEN, "hidden_at", "new.hidden_at IS NOT NULL", "new.hidden_at"),
    (EventKind.SHOWN, "hidden_at", "new.hidden_at IS NULL", None),
)


def _recorded(kind: EventKind, moment: str | None, image: str = "new.id", reason: str = "NULL") -> str:
    at = f"COALESCE({moment}, {_NOW})" if moment else _NOW
    return f"""BEGIN INSERT INTO image_event (image_id, kind, reason, created_at)
       VALUES ({image}, '{kind}', {reason}, {at}); END"""


def _of_image(kind: EventKind, column: str, condition: str, moment: str | None) -> str:
    return f"""CREATE TRIGGER IF NOT EXISTS image_{kind} AFTER UPDATE OF {column} ON veo3_image_generations
       WHEN new.{column} IS NOT old.{column} AND {condition} {_recorded(kind, moment)}"""


STATEMENTS = (
    *(_of_image(*event) for event in _OF_IMAGES),
    f"""CREATE TRIGGER IF NOT EXISTS image_imported AFTER INSERT ON veo3_image_generations
       WHEN new.local_path IS NOT NULL {_recorded(EventKind.DOWNLOADED, "new.downloaded_at")}""",
    f"""CREATE TRIGGER IF NOT EXISTS download_failed AFTER UPDATE OF state ON download
       WHEN new.state = 'failed'
       {_recorded(EventKind.FAILED, "new.finished_at", "new.image_id", "new.error")}""",
)
