"""A small canvas on which every edge is smooth: shapes are drawn as masks at twice the size."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[int, int, int, int]
Fill = Colour | Image.Image

SCALE = 2
_PLAY = 64


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two; `share` 0 is the first."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


def blend(stops: Sequence[Colour], place: float) -> Colour:
    """The colour at `place` (0 to 1) of a run of evenly spaced stops."""
    steps = len(stops) - 1
    at = min(max(place, 0.0), 1.0) * steps
    index = min(int(at), steps - 1)
    return mix(stops[index], stops[index + 1], at - index)


class Mask:
    """Where a layer shows; coordinates are the canvas's."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._image = Image.new("L", (size[0] * SCALE, size[1] * SCALE))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Point], value: int = 255) -> None:
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=value)

    def line(self, points: Sequence[Point], width: float, value: int = 255) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(scaled, fill=value, width=max(1, round(width * SCALE)), joint="curve")

    def ellipse(self, x: float, y: float, rx: float, ry: float | None = None, value: int = 255) -> None:
        self._draw.ellipse(_box(x, y, rx, ry), fill=value)

    def slice(self, x: float, y: float, radius: float, start: float, end: float, *, value: int = 255) -> None:
        self._draw.pieslice(_box(x, y, radius, None), start, end, fill=value)

    def ring(self, x: float, y: float, radius: float, width: float, value: int = 255) -> None:
        self._draw.ellipse(_box(x, y, radius, None), outline=value, width=max(1, round(width * SCALE)))

    def arc(self, box: tuple[float, float, float, float], start: float, end: float, width: float) -> None:
        scaled = tuple(edge * SCALE for edge in box)
        self._draw.arc(scaled, start, end, fill=255, width=max(1, round(width * SCALE)))

    def rectangle(self, left: float, top: float, right: float, bottom: float, value: int = 255) -> None:
        self._draw.rectangle([edge * SCALE for edge in (left, top, right, bottom)], fill=value)

    def finished(self, blur: float, opacity: float) -> tuple[Image.Image, Box] | None:
        """The part of the mask that shows something, and its place; None when nothing does."""
        bounds = self._image.getbbox()
        if bounds is None:
            return None
        box = self._around(bounds, math.ceil(blur * 3))
        part = self._image.crop([edge * SCALE for edge in box]).reduce(SCALE)
        part = blurred(part, blur) if blur else part
        return part.point([round(level * opacity) for level in range(256)]) if opacity < 1 else part, box

    def _around(self, bounds: Box, margin: int) -> Box:
        left, top, right, bottom = bounds
        width, height = self._image.width // SCALE, self._image.height // SCALE
        return (
            max(0, left // SCALE - margin),
            max(0, top // SCALE - margin),
            min(width, -(-right // SCALE) + margin),
            min(height, -(-bottom // SCALE) + margin),
        )


def _box(x: float, y: float, rx: float, ry: float | None) -> list[float]:
    ry = rx if ry is None else ry
    return [edge * SCALE for edge in (x - rx, y - ry, x + rx, y + ry)]


def blurred(image: Image.Image, radius: float) -> Image.Image:
    """A soft copy; wide radii are done on a smaller image, where they are cheap."""
    factor = max(1, int(radius / 3))
    small = image.reduce(factor) if factor > 1 else image
    soft = small.filter(ImageFilter.GaussianBlur(radius / factor))
    return soft.resize(image.size, Image.Resampling.BICUBIC)


class Canvas:
    """A picture being painted, layer upon layer; `unit` is a hundredth of its shorter side."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.unit = min(width, height) / 100
        self.image = Image.new("RGB", (width, height))

    def gradient(self, stops: Sequence[Colour], top: float = 0, bottom: float | None = None) -> Image.Image:
        """A column as high as the canvas that runs through `stops` from `top` down to `bottom`."""
        top, bottom = round(top), round(self.height if bottom is None else bottom)
        bottom = max(bottom, top + 1)
        few = Image.new("RGB", (1, len(stops)))
        few.putdata(stops)
        run = few.resize((1, bottom - top), Image.Resampling.BILINEAR, (0, 0.5, 1, len(stops) - 0.5))
        column = Image.new("RGB", (1, self.height), stops[0])
        column.paste(run, (0, top))
        column.paste(stops[-1], (0, bottom, 1, max(bottom, self.height)))
        return column

    def fill(self, stops: Sequence[Colour]) -> None:
        """Cover everything with a gradient from top to bottom."""
        self.paste(self.gradient(stops))

    def paste(self, fill: Fill, mask: Image.Image | None = None, at: Box | None = None) -> None:
        """Paint a colour, a column or a picture of the canvas's size within the box `at`."""
        box = at or (0, 0, self.width, self.height)
        if isinstance(fill, Image.Image):
            left, right = (0, 1) if fill.width == 1 else (box[0], box[2])
            size = (box[2] - box[0], box[3] - box[1])
            fill = fill.crop((left, box[1], right, box[3])).resize(size, Image.Resampling.NEAREST)
        self.image.paste(fill, box, mask)

    @contextmanager
    def layer(self, fill: Fill, *, opacity: float = 1.0, blur: float = 0.0) -> Iterator[Mask]:
        """Shapes drawn on the mask appear in `fill` when the block ends."""
        mask = Mask(self.image.size)
        yield mask
        finished = mask.finished(blur, opacity)
        if finished:
            self.paste(fill, *finished)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 1.0) -> None:
        """Light that fades out towards `radius`."""
        side = max(2, round(radius * 2))
        mask = _falloff(round(strength * 100)).resize((side, side), Image.Resampling.BILINEAR)
        left, top = round(x - side / 2), round(y - side / 2)
        self.image.paste(colour, (left, top, left + side, top + side), mask)

    def haze(self, colour: Colour, top: float, bottom: float, strength: float) -> None:
        """A veil that is thickest at `bottom` and ends there."""
        span = max(1, round(bottom - top))
        column = Image.new("L", (1, span))
        column.putdata([round(255 * strength * (y / span) ** 2) for y in range(span)])
        mask = column.resize((self.width, span), Image.Resampling.NEAREST)
        self.image.paste(colour, (0, round(top), self.width, round(top) + span), mask)

    def mirror(self, waterline: float, colour: Colour, share: float, rng: Random) -> None:
        """What stands above the waterline appears below it, tinted and rippled."""
        line = round(waterline)
        depth = self.height - line
        above = self.image.crop((0, max(0, line - depth), self.width, line))
        below = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((self.width, depth))
        below = Image.blend(below, Image.new("RGB", below.size, colour), share)
        phase = rng.random() * 6
        for y in range(depth):
            near = y / depth
            shift = round(math.sin(phase + 40 * math.sqrt(near)) * (0.3 + 2.2 * near) * self.unit * 0.6)
            self.image.paste(below.crop((0, y, self.width, y + 1)), (0, line + y))
            self.image.paste(below.crop((0, y, self.width, y + 1)), (shift, line + y))

    def finish(self, rng: Random, grain: int = 9) -> Image.Image:
        """The picture with a little film grain, which also keeps wide gradients free of bands."""
        left, top = rng.randrange(_PLAY), rng.randrange(_PLAY)
        noise = _grain(self.image.size, grain).crop((left, top, left + self.width, top + self.height))
        return ImageChops.add(self.image, noise, 1, -grain // 2)


@cache
def _falloff(percent: int) -> Image.Image:
    far = Image.radial_gradient("L")
    return far.point([round(255 * percent / 100 * max(0.0, 1 - level / 180) ** 2) for level in range(256)])


@cache
def _grain(size: tuple[int, int], strength: int) -> Image.Image:
    """One sheet of noise for all pictures of a size, a little larger so that each takes another part."""
    width, height = size[0] + _PLAY, size[1] + _PLAY
    noise = Image.frombytes("L", (width, height), Random(strength).randbytes(width * height))
    noise = noise.point([level * strength // 256 for level in range(256)])
    return Image.merge("RGB", (noise, noise, noise))
