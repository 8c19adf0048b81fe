"""The contents of a project at the simulated flow.google.com: records, descriptors and ingredients.

The payloads are arrays without field names. `webapp/sources/flow_google/PROTOCOL.md` says what each
position means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from webapp.demo.entries import Entry, Kind, chance
from webapp.demo.json_types import Json, Slots

MODELS = {
    "IMAGEN_3_5_FAST": 20,
    "IMAGEN_3_5": 21,
    "GEM_PIX": 23,
    "R2I": 24,
    "GEM_PIX_2": 25,
    "NARWHAL": 29,
    "HARBOR_SEAL": 31,
    "BELUGA": 36,
    "BELUGA_THINKING_LOW": 37,
    "BELUGA_THINKING_MED": 38,
    "BELUGA_THINKING_HIGH": 39,
}
ASPECTS = {"SQUARE": 1, "PORTRAIT": 2, "LANDSCAPE": 3, "PORTRAIT_THREE_FOUR": 4, "LANDSCAPE_FOUR_THREE": 5}
DONE = 3
_IMAGE_INGREDIENT, _VOICE_INGREDIENT = 1, 3
_UPSAMPLED = "_upsampled"
_VIDEO_MODEL, _UPSAMPLER = "veo_3_1_t2v_lite", "veo_2_1080p_upsampler_8s"
_TAIL: Slots = [None, None, [[None, 3, 2, None, "narwhal_display"], [None, 2, 1, None, "abra"]], None, 1]
_EMPTY: tuple[Slots | None, ...] = (
    [None],
    [],
    None,
    [None] * 5,
    [None, [], [], None, None, None, None, _TAIL],
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a record contains besides its entry: the size, and URLs of two previews and of the original.

    `is_address` marks the record that the call `as29s` returns.
    """

    size: tuple[int, int]
    small: str | None
    large: str | None
    original: str | None
    is_address: bool = False


def empty_contents(project_id: str) -> Slots | None:
    """Return the payload of a project without records, in one of the forms that occur."""
    return _EMPTY[chance(project_id, len(_EMPTY))]


def contents(descriptors: Sequence[Slots], records: Sequence[Json], ingredients: Sequence[Slots]) -> Slots:
    """Return the payload of a project. An empty list in it is sent as null."""
    return [None, descriptors or None, records or None, ingredients or None, None, None, None, _TAIL]


def descriptors(entries: Sequence[Entry]) -> list[Slots]:
    """Return a descriptor for each card; several entries of one card are its versions."""
    cards = {entry.workflow_id: entry for entry in reversed(entries) if entry.has_card}
    return [_descriptor(entry) for entry in cards.values()]


def _descriptor(entry: Entry) -> Slots:
    made, key = _moment(entry), entry.media_key
    asset_id = None if chance(f"{key} id", 3) == 0 else key.upper()
    is_archived = True if entry.is_archived else None
    card: Slots = [entry.shown_title or None, made, is_archived, None, key, asset_id]
    if made and chance(f"{key} changed", 4):
        seconds, _ = made
        card.append([seconds + 9, 295050000])
    character = [entry.workflow_id[::-1]] if chance(f"{key} character", 5) == 0 else []
    return [entry.workflow_id, None, None, card, entry.project_id, *character]


def ingredient(entry: Entry, record: Slots) -> Slots:
    """Return an image that a project uses."""
    return [entry.media_key, _IMAGE_INGREDIENT, entry.shown_title, record]


def voice(name: str) -> Slots:
    """Return a voice that a project uses."""
    key = name.lower()
    return [key, _VOICE_INGREDIENT, name, [key, *[None] * 9, [[name, "Female", "x"]]]]


def record(entry: Entry, shown: Shown) -> Slots:
    """Return one image or video. A client tells the kind by which of slots 6 and 7 is filled."""
    whole: Slots = [entry.media_key, entry.project_id, entry.workflow_id, entry.version, None]
    whole.append(_details(entry, shown))
    if entry.kind is Kind.VIDEO:
        return [*whole, None, _video(entry, shown)]
    if entry.kind is Kind.GENERATED or entry.is_old_upload:
        return [*whole, [_generated(entry, shown), None, list(shown.size)]]
    return [*whole, [None, _uploaded(shown), list(shown.size)]]


def _details(entry: Entry, shown: Shown) -> Slots:
    is_video = entry.kind is Kind.VIDEO
    state = DONE if is_video and entry.state is None else entry.state
    caption = entry.shown_prompt if is_video and not _is_upsampled(entry) else entry.caption
    return [
        _moment(entry),
        caption,
        None,
        None,
        None,
        shown.small,
        _request(entry),
        None,
        None if state is None else [state],
        1,
        shown.large,
        None,
        None if is_video else caption,
        18_000 + chance(entry.media_key, 160_000),
    ]


def _request(entry: Entry) -> Slots:
    """Return the request that an image or a video was made from; for uploads to the old Flow it is empty."""
    if entry.is_old_upload:
        return []
    if entry.kind is Kind.VIDEO:
        return _video_request(entry)
    if entry.kind is not Kind.GENERATED:
        return [None, None, None, None, 1]
    prompt = entry.shown_prompt
    if not entry.references:
        return [None, None, [[prompt, None, [[[prompt]]]]], [], 1]
    references = [[key, "ref.png"] for key in entry.references]
    return [None, None, [[None, None, [[[None, references], [prompt]]]]], [], 1]


def _video_request(entry: Entry) -> Slots:
    if _is_upsampled(entry):
        model: Slots = [_UPSAMPLER, 4, [6], None, 2, 1]
        return [None, [model, None, [["CAUSmadeup", None, None, _original_key(entry)]]], [[]]]
    model = [_VIDEO_MODEL, 1, None, None, 2, 1]
    return [None, [model], [[None, None, [[[entry.shown_prompt]]]]], None, 1]


def _generated(entry: Entry, shown: Shown) -> Slots:
    """Return slot 6 of an image that was generated, or uploaded to the old Flow."""
    last: Slots = ["", None, entry.workflow_id, None, shown.original, ASPECTS.get(entry.aspect)]
    if entry.is_old_upload:
        return [None, None, *[None] * 5, None, 0, *last]
    return [None, entry.seed, *[None] * 5, entry.shown_prompt, model_number(entry.model_name), *last]


def model_number(name: str) -> int:
    """Return the number of a model: `name` itself if it is a number, and 0 for an unknown name."""
    return int(name) if name.isdecimal() else MODELS.get(name, 0)


def _uploaded(shown: Shown) -> Slots:
    last: Slots = [100, None, "image/png"] if shown.is_address else [0]
    return [None, None, None, shown.original, *last]


def _video(entry: Entry, shown: Shown) -> Slots:
    """Return slot 7 of a video."""
    first: Slots = [None, entry.seed, *[None] * 5, "<root/>", shown.original, None, None, None]
    return [[*first, _VIDEO_MODEL, "", None, False, 2], [None, None, [8]], [_original_key(entry)]]


def _is_upsampled(entry: Entry) -> bool:
    return entry.media_key.endswith(_UPSAMPLED)


def _original_key(entry: Entry) -> str:
    return entry.media_key.removesuffix(_UPSAMPLED)


def _moment(entry: Entry) -> list[int] | None:
    """Return the time of creation as seconds and nanoseconds."""
    if entry.created_at is None:
        return None
    moment = datetime.fromisoformat(entry.created_at)
    return [int(moment.timestamp()), moment.microsecond * 1000]
