"""The history call of labs.google: how a history page is asked for and read (PROTOCOL.md, part 1)."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Set
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from webapp import times
from webapp.errors import AccountMoved, CursorRefused, FlowError, HistoryRefused, SignedOut
from webapp.sources import KIND_GENERATED, KIND_UPLOADED, HistoryPage, Reason, RemoteImage, clean_name
from webapp.sources.fields import (
    EARLIEST_YEAR,
    MAX_CURSOR,
    MAX_NAME,
    UnknownShape,
    is_sound,
    prompt,
    seed,
    word,
)
from webapp.sources.http import Response
from webapp.sources.outline import outline_text
from webapp.sources.refusals import MOVED, SIGNED_OUT, changed, quoted
from webapp.sources.signed_urls import is_picture_url

HISTORY_PATH = "/fx/api/trpc/media.fetchUserHistoryDirectly"

# No more than a thousand are ever asked for.
MAX_ENTRIES = 10_000
_KINDS = {"userUploadedImage": KIND_UPLOADED, "image": KIND_GENERATED}
# Only these values of `mediaType` mean that an entry is no image; an unknown value does not.
_VIDEO_TYPE = re.compile(r"(?:.*_)?VIDEO", re.IGNORECASE)
_SOUND_TYPE = re.compile(r"(?:.*_)?(?:AUDIO|SOUND|SPEECH|VOICE|MUSIC)", re.IGNORECASE)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))", re.ASCII)

# The asset drawer. Every account has it, so its refusal never means that it is not offered.
DEFAULT_HISTORY = "ASSET_MANAGER"


def path(history: str, cursor: str | None, page_size: int) -> str:
    """Path and query of one history page; `cursor` None is the first.

    The note that the cursor was undefined goes with the first page only: with a real cursor next to it
    the service ignores the cursor and returns the first page again.
    """
    query: dict[str, object] = {
        "json": {
            "type": history,
            "pageSize": page_size,
            "responseScope": "RESPONSE_SCOPE_UNSPECIFIED",
            "cursor": cursor,
        }
    }
    if cursor is None:
        query["meta"] = {"values": {"cursor": ["undefined"]}}
    return f"{HISTORY_PATH}?input={quote(json.dumps(query, separators=(',', ':')), safe='')}"


def read_history_page(document: object, picture_hosts: Set[str]) -> HistoryPage:
    """The history page in the JSON of a response. Raises UnknownShape.

    Only the outer objects are required. An image with an unreadable field is stored without that field,
    other entries are counted by reason. Preview URLs on hosts other than `picture_hosts` are left out.
    """
    result = _result(document)
    entries = result.get("userWorkflows") or []
    if not isinstance(entries, list):
        raise UnknownShape("its entries are not a list")
    if len(entries) > MAX_ENTRIES:
        raise UnknownShape(f"a page of {len(entries)} entries")
    images: list[RemoteImage] = []
    names: list[str] = []
    ignored: Counter[Reason] = Counter()
    last_created_at, sample = None, ""
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {}
        # An entry without a readable time takes that of the entry above it.
        last_created_at = created_at(fields.get("createTime")) or last_created_at
        name = _name(fields)
        names += [name] if name else []
        found = _image_or_reason(fields, name, last_created_at, picture_hosts)
        if isinstance(found, RemoteImage):
            images.append(found)
            continue
        ignored[found] += 1
        if found is Reason.UNRECOGNISED:
            sample = sample or outline_text(entry)
    return HistoryPage(
        images=tuple(images),
        names=tuple(names),
        entry_count=len(entries),
        ignored=dict(ignored),
        last_created_at=last_created_at,
        next_cursor=_next_cursor(result),
        sample=sample,
    )


def _result(document: object) -> dict[str, object]:
    inner = document
    for step in ("result", "data", "json", "result"):
        if not isinstance(inner, dict) or step not in inner:
            raise UnknownShape(f"its “{step}” is missing")
        inner = inner[step]
    if inner == []:
        return {}
    if not isinstance(inner, dict):
        raise UnknownShape("its result is not an object")
    # An empty account has an empty result. A result with other fields only must not look like one.
    if inner and not {"userWorkflows", "nextPageToken"} & set(inner):
        raise UnknownShape("its result has other fields")
    return inner


def _next_cursor(result: dict[str, object]) -> str | None:
    cursor = result.get("nextPageToken")
    if cursor is not None and (not isinstance(cursor, str) or len(cursor) > MAX_CURSOR):
        raise UnknownShape("its page token is not text of a usual length")
    return cursor or None


def refusal(
    response: Response, document: object, history: str, cursor: str | None, secrets: Iterable[str]
) -> FlowError | None:
    """The error for a response without a history page, None if it has one (PROTOCOL.md, part 5)."""
    status, message = _status(response, document), _value_at(document, "error", "json", "message")
    if status == 200:
        return None
    if status == 401:
        return SignedOut(SIGNED_OUT)
    if status in (404, 410) and re.search("deprecated|migrated", str(message), re.IGNORECASE):
        return AccountMoved(MOVED)
    refused = _refused(status, history, cursor) if status in (400, 403, 404) else None
    if refused is None:
        return changed(response, f"the history was answered with {status}", secrets)
    kind, sentence = refused
    return kind(sentence + quoted(message, secrets))


def _refused(status: int, history: str, cursor: str | None) -> tuple[type[FlowError], str] | None:
    if status == 400 and cursor is not None:
        return CursorRefused, "Flow no longer accepts this position in the history: it has expired."
    if history != DEFAULT_HISTORY:
        return HistoryRefused, f"Flow does not offer the history {history} for this account."
    if status == 400:
        return CursorRefused, f"Flow refuses the first page of the history {history}."
    return None


def _status(response: Response, document: object) -> int:
    """The status of the call itself, which tRPC repeats in the body. That one counts if the two differ."""
    status = _value_at(document, "error", "json", "data", "httpStatus")
    if status is None and response.status == 200:
        status = _value_at(document, "result", "data", "json", "status")
    return status if isinstance(status, int) else response.status


def _value_at(document: object, *path: str) -> object:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    return document


def created_at(value: object) -> str | None:
    """A `createTime`, with whole seconds or fractions, in the form of `webapp.times`; None if unreadable."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    seconds, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    microsecond = int((fraction or "").ljust(9, "0")[:6])
    try:
        local = datetime.fromisoformat(seconds).replace(microsecond=microsecond, tzinfo=UTC)
        moment = local - offset
    except (ValueError, OverflowError):
        return None
    return times.timestamp(moment) if moment.year >= EARLIEST_YEAR else None


def _name(entry: dict[str, object]) -> str | None:
    for value in (entry.get("name"), _object(entry, "media").get("name")):
        name = clean_name(value) if isinstance(value, str) else ""
        if 0 < len(name) <= MAX_NAME and is_sound(name):
            return name
    return None


def _object(fields: dict[str, object], field_name: str) -> dict[str, object]:
    """The object in a field; an empty one if there is none."""
    value = fields.get(field_name)
    return value if isinstance(value, dict) else {}


def _image_or_reason(
    entry: dict[str, object], name: str | None, entry_created_at: str | None, picture_hosts: Set[str]
) -> RemoteImage | Reason:
    media = _object(entry, "media")
    ids = _object(media, "mediaGenerationId")
    if reason := _other_kind(media, ids):
        return reason
    field_name = next((field_name for field_name in _KINDS if isinstance(media.get(field_name), dict)), None)
    if field_name is None or name is None:
        return Reason.UNRECOGNISED
    kind, fields = _KINDS[field_name], _object(media, field_name)
    return _image(name, kind, fields, ids, entry_created_at, picture_hosts)


def _other_kind(media: dict[str, object], ids: dict[str, object]) -> Reason | None:
    """The reason if an entry is certainly no image, None otherwise."""
    value = ids.get("mediaType")
    media_type = value if isinstance(value, str) else ""
    if isinstance(media.get("video"), dict) or _VIDEO_TYPE.fullmatch(media_type):
        return Reason.VIDEO
    return Reason.SOUND if _SOUND_TYPE.fullmatch(media_type) else None


def _image(
    name: str,
    kind: str,
    fields: dict[str, object],
    ids: dict[str, object],
    entry_created_at: str | None,
    picture_hosts: Set[str],
) -> RemoteImage:
    # The store matches images by media key too, so the substitute has to be as unique as the name.
    media_key = word(ids.get("mediaKey")) or name
    url = fields.get("fifeUrl")
    return RemoteImage(
        name=name,
        media_key=media_key,
        workflow_id=word(ids.get("workflowId")) or word(fields.get("workflowId")) or media_key,
        kind=kind,
        created_at=entry_created_at,
        aspect_ratio=word(fields.get("aspectRatio")),
        fife_url=url if isinstance(url, str) and is_picture_url(url, picture_hosts) else None,
        prompt=prompt(fields.get("prompt")),
        model_name=word(fields.get("modelNameType")),
        seed=seed(fields.get("seed")),
        project_id=word(ids.get("projectId")),
    )
