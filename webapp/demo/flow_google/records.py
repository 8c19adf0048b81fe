"""The records of the simulated flow.google.com: images, uploads, videos, voices and their cards."""

from dataclasses import dataclass
from datetime import datetime

from webapp.demo.entries import Entry, Kind, chance

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
_DONE = 3
_VIDEO_MODEL, _UPSAMPLER = "veo_3_1_t2v_lite", "veo_2_1080p_upsampler_8s"
_TAIL = [None, None, [[None, 3, 2, None, "narwhal_display"], [None, 2, 1, None, "abra"]], None, 1]
_EMPTY = ([None], [], None, [None] * 5, [None, [], [], None, None, None, None, _TAIL])


@dataclass(frozen=True, slots=True)
class Shown:
    """What a record tells besides its entry: the size, and one URL in each of three places.

    `is_address` marks the only record that `as29s` answers with.
    """

    size: tuple[int, int]
    small: str | None
    large: str | None
    original: str | None
    is_address: bool = False


def empty_contents(project_id: str) -> list | None:
    """A project without records; the service writes it in several ways."""
    return _EMPTY[chance(project_id, len(_EMPTY))]


def contents(descriptors: list, records: list, ingredients: list) -> list:
    """All that a project holds. A list without elements is null."""
    return [None, descriptors or None, records or None, ingredients or None, None, None, None, _TAIL]


def descriptors(entries: list[Entry]) -> list:
    """One for each card, of which several records can be versions."""
    cards = {entry.workflow_id: entry for entry in reversed(entries) if entry.has_card}
    return [_descriptor(entry) for entry in cards.values()]


def _descriptor(entry: Entry) -> list:
    made, key = _moment(entry), entry.media_key
    asset_id = None if chance(f"{key} id", 3) == 0 else key.upper()
    card = [entry.shown_title or None, made, True if entry.is_archived else None, None, key, asset_id]
    if made and chance(f"{key} changed", 4):
        card.append([made[0] + 9, 295050000])
    character = [entry.workflow_id[::-1]] if chance(f"{key} character", 5) == 0 else []
    return [entry.workflow_id, None, None, card, entry.project_id, *character]


def ingredient(entry: Entry, record: list) -> list:
    return [entry.media_key, 1, entry.shown_title, record]


def voice(name: str) -> list:
    key = name.lower()
    return [key, 3, name, [key, *[None] * 9, [[name, "Female", "x"]]]]


def record(entry: Entry, shown: Shown) -> list:
    """One asset; its kind is told by the arm that is there."""
    whole = [entry.media_key, entry.project_id, entry.workflow_id, entry.version, None]
    whole.append(_details(entry, shown))
    if entry.kind is Kind.VIDEO:
        return [*whole, None, _video_arm(entry, shown)]
    if entry.kind is Kind.GENERATED or entry.is_old_upload:
        return [*whole, [_made(entry, shown), None, list(shown.size)]]
    return [*whole, [None, _uploaded(shown), list(shown.size)]]


def _details(entry: Entry, shown: Shown) -> list:
    is_video = entry.kind is Kind.VIDEO
    state = _DONE if is_video and entry.state is None else entry.state
    caption = entry.shown_prompt if is_video and not _is_upsampled(entry) else entry.caption
    return [
        _moment(entry),
        caption,
        None,
        None,
        None,
        shown.small,
        _asked(entry),
        None,
        None if state is None else [state],
        1,
        shown.large,
        None,
        None if is_video else caption,
        18_000 + chance(entry.media_key, 160_000),
    ]


def _asked(entry: Entry) -> list:
    """What was asked for; uploads of the old Flow have nothing here."""
    if entry.is_old_upload:
        return []
    if entry.kind is Kind.VIDEO:
        return _asked_video(entry)
    if entry.kind is not Kind.GENERATED:
        return [None, None, None, None, 1]
    prompt = entry.shown_prompt
    if not entry.references:
        return [None, None, [[prompt, None, [[[prompt]]]]], [], 1]
    references = [[key, "ref.png"] for key in entry.references]
    return [None, None, [[None, None, [[[None, references], [prompt]]]]], [], 1]


def _asked_video(entry: Entry) -> list:
    if _is_upsampled(entry):
        source = entry.media_key.removesuffix("_upsampled")
        asked = [_UPSAMPLER, 4, [6], None, 2, 1]
        return [None, [asked, None, [["CAUSmadeup", None, None, source]]], [[]]]
    asked = [_VIDEO_MODEL, 1, None, None, 2, 1]
    return [None, [asked], [[None, None, [[[entry.shown_prompt]]]]], None, 1]


def _made(entry: Entry, shown: Shown) -> list:
    """The arm of an image that was generated, or uploaded to the old Flow."""
    seed, prompt, model = entry.seed, entry.shown_prompt, model_number(entry.model_name)
    if entry.is_old_upload:
        seed, prompt, model = None, None, 0
    last = ["", None, entry.workflow_id, None, shown.original, ASPECTS.get(entry.aspect)]
    return [None, seed, *[None] * 5, prompt, model, *last]


def model_number(name: str) -> int:
    """A number is sent as it is, a name that has none as 0."""
    return int(name) if name.isdecimal() else MODELS.get(name, 0)


def _uploaded(shown: Shown) -> list:
    more = [100, None, "image/png"] if shown.is_address else [0]
    return [None, None, None, shown.original, *more]


def _video_arm(entry: Entry, shown: Shown) -> list:
    made = [None, entry.seed, *[None] * 5, "<root/>", shown.original, None, None, None]
    source = entry.media_key.removesuffix("_upsampled")
    return [[*made, _VIDEO_MODEL, "", None, False, 2], [None, None, [8]], [source]]


def _is_upsampled(entry: Entry) -> bool:
    return entry.media_key.endswith("_upsampled")


def _moment(entry: Entry) -> list | None:
    if entry.created_at is None:
        return None
    moment = datetime.fromisoformat(entry.created_at)
    return [int(moment.timestamp()), moment.microsecond * 1000]
