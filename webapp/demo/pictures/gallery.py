"""Which number shows what: the kind of scene, its colours, its words, and its bytes."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image

from webapp.demo.pictures import graphics, landscapes, nights, plants
from webapp.demo.pictures.canvas import Canvas
from webapp.demo.pictures.palettes import DAYS, NIGHTS, PRINTS, Inks, Light

ASPECTS = {
    "LANDSCAPE": (16, 9),
    "PORTRAIT": (9, 16),
    "SQUARE": (1, 1),
    "LANDSCAPE_FOUR_THREE": (4, 3),
    "PORTRAIT_THREE_FOUR": (3, 4),
}
LONG_SIDE = 688
TINY_SIZE = (4, 3)

_BRIGHT_PRINTS = tuple(inks for inks in PRINTS if "black" not in inks.words and "primary" not in inks.words)
_AIRS = (
    "layered illustration, soft grain",
    "quiet and wide",
    "muted poster colours",
    "long shadows, calm mood",
)
_PRINTED = ("flat print with a little grain", "mid-century poster", "paper texture", "clean and balanced")


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of picture: who paints it, its colours, and what its prompts say."""

    paint: Callable[[Canvas, Random, Light | Inks, str], None]
    colours: tuple[Light, ...] | tuple[Inks, ...]
    words: str
    subjects: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class Scene:
    """What one number shows, however often it is drawn."""

    kind: Kind
    colours: Light | Inks
    subject: str
    prompt: str


_KITE = ("a bright {accent} kite over", "birds over", "")
_MOONS = ("a full moon over", "a crescent moon over")
_BOAT = ("a small sailing boat on the", "birds over the", "")
_BALLOONS = ("three {accent} striped balloons", "one {accent} striped balloon")
_CABIN = ("a cabin with lit windows in a", "birds over a", "a")
_SHEETS = ("on light paper", "on dark paper")
_PLANETS = ("a planet with rings", "a striped planet")

KINDS = (
    Kind(landscapes.dunes, DAYS, "{subject} wind-blown dunes {colours}", _KITE),
    Kind(graphics.tiles, PRINTS, "geometric tiles with quarter circles in {colours}"),
    Kind(landscapes.mountains, DAYS, "{subject} snowy peaks and a still lake {colours}", ("birds above", "")),
    Kind(plants.leaves, PRINTS, "tall leaves before a pale disc, {colours}"),
    Kind(nights.stars, NIGHTS, "{subject} dark hills and firs {colours}", (*_MOONS, "the Milky Way over")),
    Kind(landscapes.sea, DAYS, "{subject} open sea with a low sun {colours}", _BOAT),
    Kind(graphics.paper, PRINTS, "hills of cut paper and a round sun in {colours}"),
    Kind(nights.city, NIGHTS, "{subject} a city with lit windows by the water {colours}", _MOONS),
    Kind(plants.meadow, _BRIGHT_PRINTS, "a meadow in flower, backlit grass, {colours}"),
    Kind(landscapes.balloons, DAYS, "{subject} above rolling hills {colours}", _BALLOONS),
    Kind(graphics.discs, PRINTS, "translucent discs on a soft gradient in {colours}"),
    Kind(nights.aurora, NIGHTS, "northern lights over a mountain lake {colours}"),
    Kind(graphics.arches, PRINTS, "rainbow arches in a row under a plain sun, {colours}"),
    Kind(landscapes.forest, DAYS, "{subject} fir forest in fog {colours}", _CABIN),
    Kind(
        graphics.contours,
        PRINTS,
        "hills in fine lines {subject}, {colours}",
        ("on light paper", "on dark paper"),
    ),
    Kind(nights.planets, NIGHTS, "{subject} and two moons among stars, {accent} bands", _PLANETS),
    Kind(graphics.ribbons, PRINTS, "flowing silk ribbons in {colours}"),
)


def scene(number: int) -> Scene:
    """Kinds take turns, so that neighbours differ; everything else is chance, the same each time."""
    rng = Random(f"scene {number}")
    kind = KINDS[number % len(KINDS)]
    colours = rng.choice(kind.colours)
    accent, styles = (colours.accent_words, _AIRS) if isinstance(colours, Light) else ("", _PRINTED)
    subject = rng.choice(kind.subjects).format(accent=accent)
    words = kind.words.format(subject=subject, colours=colours.words, accent=accent).strip()
    return Scene(kind, colours, subject, f"{words}, {rng.choice(styles)}")


def prompt(number: int) -> str:
    return scene(number).prompt


def size(aspect: str = "LANDSCAPE", long_side: int = LONG_SIDE) -> tuple[int, int]:
    """Width and height of a picture that is drawn."""
    wide, tall = ASPECTS[aspect]
    side = long_side / max(wide, tall) if wide != tall else long_side * 0.78
    return _even(side * wide), _even(side * tall)


def size_of(content: bytes) -> tuple[int, int] | None:
    """Width and height that the bytes of a picture say, None when they are none."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.size
    except Exception:  # Pillow raises many kinds
        return None


def draw(
    number: int, variation: int = 0, aspect: str = "LANDSCAPE", long_side: int = LONG_SIDE
) -> Image.Image:
    """The picture of a number; variations show the same scene, as several answers to one prompt do."""
    canvas = Canvas(*size(aspect, long_side))
    shown = scene(number)
    rng = Random(f"{number} {variation}")
    shown.kind.paint(canvas, rng, shown.colours, shown.subject)
    return canvas.finish(rng)


@lru_cache(maxsize=128)
def encoded(
    number: int,
    variation: int = 0,
    aspect: str = "LANDSCAPE",
    picture_format: str = "JPEG",
    long_side: int = LONG_SIDE,
) -> bytes:
    """The bytes of a picture as JPEG, PNG or WEBP; the latest ones are kept."""
    return _written(draw(number, variation, aspect, long_side), picture_format)


def tiny(number: int, picture_format: str = "JPEG") -> bytes:
    """A picture of a few pixels, for worlds where only the count matters."""
    rng = Random(number)
    return _written(Image.frombytes("RGB", TINY_SIZE, rng.randbytes(36)), picture_format)


def _written(image: Image.Image, picture_format: str) -> bytes:
    options = {"JPEG": {"quality": 90}, "PNG": {"compress_level": 3}, "WEBP": {"quality": 84, "method": 2}}
    file = io.BytesIO()
    image.save(file, picture_format, **options[picture_format])
    return file.getvalue()


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
