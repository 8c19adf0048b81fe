"""The history call of the labs service: how it is asked and what it answers (PROTOCOL.md, part 1)."""

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

# A page is asked for with at most a thousand.
MAX_ENTRIES = 10_000
_KINDS = {"userUploadedImage": KIND_UPLOADED, "image": KIND_GENERATED}
# Only these words of a `mediaType` say that an entry is no image; a word that nobody knows does not.
_VIDEO_TYPE = re.compile(r"(?:.*_)?VIDEO", re.IGNORECASE)
_SOUND_TYPE = re.compile(r"(?:.*_)?(?:AUDIO|SOUND|SPEECH|VOICE|MUSIC)", re.IGNORECASE)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))", re.ASCII
)

# The asset drawer: every account has it, so a refusal of it never means "not offered".
DEFAULT_HISTORY = "ASSET_MANAGER"


def path(history: str, cursor: str | None, page_size: int) -> str:
    """Path and query of one page; `cursor` None is the head.

    The note that the cursor was undefined goes with the head only: beside a real cursor the
    service forgets that cursor and answers the first page again.
    """
    asked = {
        "type": history,
        "pageSize": page_size,
        "responseScope": "RESPONSE_SCOPE_UNSPECIFIED",
        "cursor": cursor,
    }
    whole = {"json": asked} | ({"meta": {"values": {"cursor": ["undefined"]}}} if cursor is None else {})
    return f"{HISTORY_PATH}?input={quote(json.dumps(whole, separators=(',', ':')), safe='')}"


def read_page(document: object, picture_hosts: Set[str]) -> HistoryPage:
    """A page out of the answer's JSON. Raises UnknownShape.

    Only the frame is demanded. An image with one odd field is kept without that field, and what is no
    image is counted by the reason. Preview URLs on other hosts than `picture_hosts` are left out.
    """
    result = _result(document)
    entries = result.get("userWorkflows") or []
    if not isinstance(entries, list):
        raise UnknownShape("its entries are no list")
    if len(entries) > MAX_ENTRIES:
        raise UnknownShape(f"a page of {len(entries)} entries")
    images, names, ignored, above, sample = [], [], Counter(), None, ""
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {}
        above = created_at(fields.get("createTime")) or above
        name = _name(fields)
        names += [name] if name else []
        read = _image_or_reason(fields, name, above, picture_hosts)
        if isinstance(read, Reason):
            ignored[read] += 1
            if read is Reason.UNRECOGNISED:
                sample = sample or outline_text(entry)
        else:
            images.append(read)
    return HistoryPage(
        images=tuple(images),
        names=tuple(names),
        entry_count=len(entries),
        ignored=dict(ignored),
        last_created_at=above,
        next_cursor=_cursor(result),
        sample=sample,
    )


def _result(document: object) -> dict:
    inner = document
    for step in ("result", "data", "json", "result"):
        if not isinstance(inner, dict) or step not in inner:
            raise UnknownShape(f"its “{step}” is missing")
        inner = inner[step]
    if inner == []:
        return {}
    if not isinstance(inner, dict):
        raise UnknownShape("its result is no object")
    # An empty account has an empty result; one full of other fields must not pass for that.
    if inner and not {"userWorkflows", "nextPageToken"} & set(inner):
        raise UnknownShape("its result has other fields")
    return inner


def _cursor(result: dict) -> str | None:
    cursor = result.get("nextPageToken")
    if cursor is not None and (not isinstance(cursor, str) or len(cursor) > MAX_CURSOR):
        raise UnknownShape("its page token is no text of a usual length")
    return cursor or None


def refusal(
    response: Response, document: object, history: str, cursor: str | None, secrets: Iterable[str]
) -> FlowError | None:
    """What an answer means that brings no page; None when it brings one (PROTOCOL.md, part 5)."""
    status, message = _status(response, document), _inside(document, "error", "json", "message")
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
        return CursorRefused, "Flow does not accept the place in the history any more: it has expired."
    if history != DEFAULT_HISTORY:
        return HistoryRefused, f"Flow does not offer the history {history} for this account."
    if status == 400:
        return CursorRefused, f"Flow refuses the first page of the history {history}."
    return None


def _status(response: Response, document: object) -> int:
    """The status of the call itself, which tRPC repeats inside and which counts when the two differ."""
    inside = _inside(document, "error", "json", "data", "httpStatus")
    if inside is None and response.status == 200:
        inside = _inside(document, "result", "data", "json", "status")
    return inside if isinstance(inside, int) else response.status


def _inside(document: object, *steps: str) -> object:
    for step in steps:
        document = document.get(step) if isinstance(document, dict) else None
    return document


def created_at(said: object) -> str | None:
    """A `createTime`, with whole seconds or fractions, in the form of `webapp.times`; None if unreadable."""
    match = _TIME.fullmatch(said) if isinstance(said, str) else None
    if match is None:
        return None
    *whole, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    microsecond = int((fraction or "").ljust(9, "0")[:6])
    try:
        moment = datetime(*map(int, whole), microsecond, tzinfo=UTC) - offset
    except (ValueError, OverflowError):
        return None
    return times.timestamp(moment) if moment.year >= EARLIEST_YEAR else None


def _name(entry: dict) -> str | None:
    for said in (entry.get("name"), _object(entry, "media").get("name")):
        name = clean_name(said) if isinstance(said, str) else ""
        if 0 < len(name) <= MAX_NAME and is_sound(name):
            return name
    return None


def _object(fields: dict, field_name: str) -> dict:
    """The object in a field; an empty one where there is none."""
    said = fields.get(field_name)
    return said if isinstance(said, dict) else {}


def _image_or_reason(
    entry: dict, name: str | None, above: str | None, picture_hosts: Set[str]
) -> RemoteImage | Reason:
    media = _object(entry, "media")
    ids = _object(media, "mediaGenerationId")
    if reason := _other_media(media, ids):
        return reason
    wire = next((wire for wire in _KINDS if isinstance(media.get(wire), dict)), None)
    if wire is None or name is None:
        return Reason.UNRECOGNISED
    return _image(name, _KINDS[wire], media[wire], ids, above, picture_hosts)


def _other_media(media: dict, ids: dict) -> Reason | None:
    """Why an entry is surely no image; None where nothing says so."""
    said = ids.get("mediaType")
    media_type = said if isinstance(said, str) else ""
    if isinstance(media.get("video"), dict) or _VIDEO_TYPE.fullmatch(media_type):
        return Reason.VIDEO
    return Reason.SOUND if _SOUND_TYPE.fullmatch(media_type) else None


def _image(
    name: str, kind: str, shown: dict, ids: dict, above: str | None, picture_hosts: Set[str]
) -> RemoteImage:
    # Images are matched by their media keys too, so nothing less than the name may stand in for one.
    media_key = word(ids.get("mediaKey")) or name
    url = shown.get("fifeUrl")
    return RemoteImage(
        name=name,
        media_key=media_key,
        workflow_id=word(ids.get("workflowId")) or word(shown.get("workflowId")) or media_key,
        kind=kind,
        created_at=above,
        aspect_ratio=word(shown.get("aspectRatio")),
        fife_url=url if is_picture_url(url, picture_hosts) else None,
        prompt=prompt(shown.get("prompt")),
        model_name=word(shown.get("modelNameType")),
        seed=seed(shown.get("seed")),
        project_id=word(ids.get("projectId")),
    )
