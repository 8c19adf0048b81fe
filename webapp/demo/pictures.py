"""Sample pictures for the demo: a number gives a picture and the prompt that describes it."""

import io
from functools import lru_cache
from itertools import product
from math import ceil, sin, sqrt
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

ASPECTS = {"LANDSCAPE": (16, 9), "LANDSCAPE_FOUR_THREE": (4, 3), "SQUARE": (1, 1)}
ASPECTS |= {"PORTRAIT": (9, 16), "PORTRAIT_THREE_FOUR": (3, 4)}
TINY_SIZE = (4, 3)
_STYLES = ("flat illustration", "mid-century poster", "soft grain and calm mood", "clean and balanced")
# The colours of the sun, of the sky from its top to the horizon, of an accent, and of the land.
_DAYS = {
    "indigo and coral": "fff0c8 2b2d5b c9667c f7b58a e8543a 2c2142",
    "blue and cream": "fffdf2 3f86b8 8cc0d4 f1ecd9 f2a541 20505a",
    "lilac and rose": "fff4ea 6d6a9c b78fb0 f6cfc6 e8b05c 43345d",
    "teal and apricot": "fffde0 2f6d70 7fab9d f3d9ad ef7b45 17383a",
    "crimson and orange": "ffe9b8 4a1d4c a8324a f4924f ffc857 2a1230",
    "sage and terracotta": "fbf4e2 5d7f72 a3b79a ead9b4 c8694b 33402f",
}
_NIGHTS = {
    "deep blue": "fdf6dc 060a1f 12224c 3b5488 ffd98a 060a18",
    "violet and rose": "fff1d6 0d0b2a 33235e 8a4a72 ffb86b 0c0820",
    "dark green": "f4fff2 04111d 0a3138 2f7365 ffe29a 030d12",
}
_FADE = Image.linear_gradient("L").crop((0, 0, 1, 256))


def _mix(first: tuple[int, ...], second: tuple[int, ...], share: float) -> tuple[int, ...]:
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


class _Painting:
    """A picture at twice its size, which starts as a sky; `u` is a hundredth of its shorter side."""

    def __init__(self, size: tuple[int, int], rng: Random, colours: str) -> None:
        self.rng, self.between = rng, rng.uniform
        self.w, self.h, self.u = size[0] * 2, size[1] * 2, min(size) / 50
        self.x, self.horizon = round(self.w * rng.uniform(0.3, 0.7)), round(self.h * rng.uniform(0.64, 0.74))
        self.light, *self.inks, self.dark = (tuple(bytes.fromhex(colour)) for colour in colours.split())
        self.top, self.middle, self.low, _ = self.inks
        self.far = _mix(self.low, self.middle, 0.6)
        self.image = Image.new("RGB", (self.w, self.h))
        self.draw = ImageDraw.Draw(self.image)
        self.area([(0, 0), (self.w, 0)], self.top, self.low, self.middle)

    def area(self, line: list, first: tuple, last: tuple, middle: tuple | None = None) -> None:
        """Fill everything below a line with a gradient that starts at its highest point."""
        top = min(self.h - 1, max(0, round(min(y for _, y in line))))
        mask = Image.new("1", (self.w, self.h - top))
        ImageDraw.Draw(mask).polygon([(x, y - top) for x, y in [*line, (self.w, self.h), (0, self.h)]], 1)
        column = ImageOps.colorize(_FADE, first, last, middle, whitepoint=200, midpoint=100)
        self.image.paste(column.resize(mask.size, Image.Resampling.NEAREST), (0, top), mask)

    def line(self, base: float, rise: float, length: float, finer: float) -> list[tuple[float, float]]:
        """Add up waves, each half as long as the one before and lower by the factor `finer`."""
        waves = [(2**k * self.between(4, 8) / length, self.between(0, 6), rise / finer**k) for k in range(6)]
        return [(x * self.w / 150, base - sum(s * sin(f * x + p) for f, p, s in waves)) for x in range(151)]

    def sun(self, y: int = 0) -> None:
        y, r = y or round(self.h * self.between(0.15, 0.28)), round(self.u * self.between(6, 11))
        glow = Image.radial_gradient("L").point(lambda far: 180 * max(0, 1 - far / 180) ** 2)
        self.image.paste(self.light, (self.x - 7 * r, y - 7 * r), glow.resize((14 * r, 14 * r)))
        self.draw.circle((self.x, y), r, self.light)

    def stars(self) -> None:
        for _ in range(300):
            at, size = (self.between(0, self.w), self.between(0, self.h)), 0.15 + 0.3 * self.rng.random() ** 6
            self.draw.circle(at, size * self.u, _mix(self.middle, self.light, self.rng.random()))

    def aurora(self) -> None:
        glow, ray = Image.new("RGB", (151, 80)), 0.6
        for colour in ((70, 220, 200), (150, 120, 240), (110, 245, 170)):
            for x, (_, foot) in enumerate(self.line(40, 6, 180, 3)):
                ray = min(1, max(0.2, ray + self.between(-0.2, 0.2)))
                fade = _FADE.resize((1, round(12 + 30 * ray)))
                glow.paste(_mix((0, 0, 0), colour, 0.9 * ray), (x, round(foot) - fade.height), fade)
        glow = glow.filter(ImageFilter.GaussianBlur(1)).resize(self.image.size)
        self.image.paste(ImageChops.screen(self.image, glow))

    def hills(self) -> None:
        for near in (0, 0.25, 0.5, 0.75, 1):
            colour = _mix(self.far, self.dark, near * 0.95)
            crest = self.line(self.horizon + self.h * near / 4.5, self.h / 20, 150, 4)
            self.area(crest, colour, _mix(colour, self.low, 0.5 - near / 2))

    def mountains(self) -> None:
        for near in (0, 0.33, 0.66, 1):
            colour = _mix(self.far, self.dark, 0.1 + near * 0.6)
            crest = self.line(self.horizon - self.h * (1 - near) / 4, self.h * (0.09 - near / 20), 120, 1.8)
            self.area(crest, colour, _mix(colour, self.low, 0.8))

    def lake(self) -> None:
        for y in range(self.h - self.horizon):
            strip = self.image.crop((0, self.horizon - y - 1, self.w, self.horizon - y))
            ripple = sin(4 * sqrt(y / self.u)) * (self.u / 5 + y / 40)
            self.image.paste(ImageChops.offset(strip, round(ripple), 0), (0, self.horizon + y))
        ImageDraw.Draw(self.image, "RGBA").rectangle((0, self.horizon, self.w, self.h), (*self.dark, 60))

    def firs(self) -> None:
        for near in (0, 0.4, 1):
            colour, foot = _mix(self.far, self.dark, near), self.h * (0.8 + 0.2 * near)
            for x in (self.between(0, self.w) for _ in range(round(12 * self.w / self.h) + 2)):
                tall = self.h * (0.22 + 0.2 * near) * self.between(0.4, 1)
                for tier in range(1, 11):
                    y, wide = foot - tall * (1 - 0.1 * tier), tall * 0.02 * tier * self.between(0.8, 1.2)
                    self.draw.polygon([(x, y - tall * 0.14), (x + wide, y), (x - wide, y)], colour)
            self.area(self.line(foot, self.h / 100, 150, 3), colour, _mix(colour, self.low, 0.7 - 0.7 * near))

    def sea(self) -> None:
        self.sun(self.horizon)
        self.area([(0, self.horizon), (self.w, self.horizon)], _mix(self.low, self.middle, 0.7), self.dark)
        for near in (self.rng.random() ** 1.6 for _ in range(260)):
            y, reach = self.horizon + (self.h - self.horizon) * near, self.u * (0.5 + 5 * near)
            x, long = self.rng.gauss(self.x, self.u * (4 + 14 * near)), reach * self.between(0.3, 1)
            self.draw.ellipse((x - long, y, x + long, y + self.u * 0.25 + long * 0.06), self.light)

    def tiles(self) -> None:
        side = ceil(self.w / round(self.w / self.u / self.rng.choice((25, 33))))
        for corner in product(range(0, self.w, side), range(0, self.h, side)):
            ground, *rings = self.rng.sample([*self.inks, self.dark, self.light], 4)
            tile, centre = Image.new("RGB", (side, side), ground), self.rng.choices((0, side / 2, side), k=2)
            for ring, colour in enumerate(rings[: self.rng.randint(1, 3)]):
                ImageDraw.Draw(tile).circle(centre, side * (3 - ring) / 3, colour)
            self.image.paste(tile, corner)

    def ribbons(self) -> None:
        middle = self.line(self.h * 0.5, self.h * 0.2, 250, 6)
        for index in range(-6, 8):
            edge = [(x, y + index * self.h * (0.06 + 0.06 * x / self.w)) for x, y in middle]
            self.area(edge, _mix(self.inks[index % 4], self.light, 0.25), self.inks[index % 4])

    SCENES = (
        ("the sun over layered hills", _DAYS, (sun, hills)),
        ("geometric tiles with quarter circles", _DAYS, (tiles,)),
        ("the moon over dark firs", _NIGHTS, (stars, sun, firs)),
        ("the sun over a mountain lake", _DAYS, (sun, mountains, lake)),
        ("flowing ribbons", _DAYS, (ribbons,)),
        ("a low sun over a calm sea", _DAYS, (sea,)),
        ("northern lights over a fir forest", _NIGHTS, (stars, aurora, firs)),
        ("a pale sun over a foggy fir forest", _DAYS, (sun, firs)),
        ("the moon over a mountain lake", _NIGHTS, (stars, sun, mountains, lake)),
    )


def prompt(number: int) -> str:
    """Return the words that describe the picture of a number."""
    return _scene(number)[0]


def _scene(number: int) -> tuple:
    turn, kind = divmod(number, len(_Painting.SCENES))
    words, palettes, parts = _Painting.SCENES[kind]
    colours = list(palettes)[(kind + turn) % len(palettes)]
    return f"{words} in {colours}, {_STYLES[(kind + turn // 2) % 4]}", palettes[colours], parts


def size(aspect: str = "LANDSCAPE", long_side: int = 688) -> tuple[int, int]:
    """Return the width and height of a picture of an aspect; both are even."""
    wide, tall = ASPECTS[aspect]
    side = long_side / max(wide, tall) if wide != tall else long_side * 0.78
    return max(2, round(side * wide / 2) * 2), max(2, round(side * tall / 2) * 2)


def size_of(content: bytes) -> tuple[int, int] | None:
    """Return the width and height of an encoded picture, or None if the bytes are no picture."""
    try:
        return Image.open(io.BytesIO(content)).size
    except Exception:  # Pillow raises many kinds
        return None


@lru_cache(maxsize=128)
def encoded(
    number: int, variation: int = 0, aspect: str = "LANDSCAPE", file_type: str = "JPEG", long_side: int = 688
) -> bytes:
    """Draw a picture and return its bytes; variations show the same scene in another composition."""
    _, colours, parts = _scene(number)
    painting = _Painting(size(aspect, long_side), Random(f"{number} {variation}"), colours)
    for paint in parts:
        paint(painting)
    return _written(painting.image.reduce(2), file_type)


def tiny(number: int, file_type: str = "JPEG") -> bytes:
    """Return the bytes of a picture of a few pixels, for worlds where only the count matters."""
    return _written(Image.frombytes("RGB", TINY_SIZE, Random(number).randbytes(36)), file_type)


def _written(image: Image.Image, file_type: str) -> bytes:
    """Encode a picture with a little grain, which keeps wide gradients free of bands."""
    noise = Image.frombytes("L", image.size, Random(0).randbytes(image.width * image.height))
    out = io.BytesIO()
    Image.blend(image, noise.convert("RGB"), 0.03).save(
        out, file_type, quality=90, compress_level=3, method=2
    )
    return out.getvalue()
