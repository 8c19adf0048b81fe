"""Printed things: tiles, discs, cut paper, arches, contour lines, brushed ribbons."""

import math
from random import Random

from PIL import Image

from webapp.demo.pictures.canvas import Canvas, Colour, Mask, Point, mix
from webapp.demo.pictures.lines import waves
from webapp.demo.pictures.palettes import Inks


def tiles(canvas: Canvas, rng: Random, inks: Inks, subject: str) -> None:
    w, h = canvas.width, canvas.height
    side = min(w, h) / rng.choice((3, 4, 4))
    columns, rows = math.ceil(w / side - 0.01), math.ceil(h / side - 0.01)
    left, top = (w - columns * side) / 2, (h - rows * side) / 2
    canvas.fill((inks.ground, inks.ground))
    shapes = {colour: [] for colour in (*inks.colours, inks.ground, inks.dark)}
    for index in range(columns * rows):
        place = (left + index % columns * side, top + index // columns * side, side)
        ground, ink = rng.sample([*inks.colours, inks.ground], 2)
        with canvas.layer(ground) as mask:
            mask.rectangle(place[0], place[1], place[0] + side - 0.5, place[1] + side - 0.5)
        with canvas.layer(ink) as mask:
            _tile(mask, rng, place)
        if rng.random() < 0.3:
            with canvas.layer(
                rng.choice([colour for colour in shapes if colour not in (ground, ink)])
            ) as mask:
                mask.ellipse(place[0] + side / 2, place[1] + side / 2, side * rng.choice((0.12, 0.2)))


def _tile(mask: Mask, rng: Random, place: tuple[float, float, float]) -> None:
    x, y, s = place
    corner = rng.randrange(4)
    cx, cy = x + s * (corner in (1, 2)), y + s * (corner in (2, 3))
    turn = corner * 90
    match rng.randrange(7):
        case 0:
            mask.slice(cx, cy, s - 1, turn, turn + 90)
        case 1:
            mask.slice(cx, cy, s - 1, turn, turn + 90)
            mask.slice(cx, cy, s * 0.55, turn, turn + 90, value=0)
        case 2:
            mask.slice(x + s / 2, y + s / 2, s / 2 - 1, turn, turn + 180)
        case 3:
            mask.ellipse(x + s / 2, y + s / 2, s * 0.42)
        case 4:
            mask.polygon(
                [(x, y), (x + s, y), (x + s, y + s)] if corner % 2 else [(x, y), (x + s, y), (x, y + s)]
            )
        case 5:
            for stripe in range(4):
                mask.rectangle(x, y + s * stripe / 4, x + s - 1, y + s * (stripe + 0.5) / 4)
        case 6:
            mask.slice(x, y, s / 2, 0, 90)
            mask.slice(x + s, y + s, s / 2, 180, 270)
            mask.slice(x + s, y, s / 2, 90, 180)
            mask.slice(x, y + s, s / 2, 270, 360)


def discs(canvas: Canvas, rng: Random, inks: Inks, subject: str) -> None:
    """Translucent circles on a ground where colours run into each other."""
    w, h, u = canvas.width, canvas.height, canvas.unit
    canvas.paste(_wash(canvas, rng, inks))
    for index in range(rng.randint(4, 7)):
        x, y, r = rng.uniform(0.08, 0.92) * w, rng.uniform(0.08, 0.92) * h, u * rng.uniform(8, 34)
        first, second = rng.sample(inks.colours, 2)
        fill = canvas.gradient((first, mix(second, inks.ground, 0.3)), y - r, y + r)
        with canvas.layer(inks.dark, opacity=0.22, blur=u * 1.6) as mask:
            mask.ellipse(x + u * 0.8, y + u * 1.4, r)
        with canvas.layer(fill, opacity=rng.choice((0.7, 0.85, 0.95))) as mask:
            mask.ellipse(x, y, r)
        if index % 2:
            with canvas.layer(inks.ground, opacity=0.8) as mask:
                mask.ring(x, y, r * 1.22, u * 0.35)


def _wash(canvas: Canvas, rng: Random, inks: Inks) -> Image.Image:
    small = Image.new("RGB", (4, 3))
    small.putdata([mix(rng.choice(inks.colours), inks.ground, rng.uniform(0.35, 0.8)) for _ in range(12)])
    return small.resize((canvas.width, canvas.height), Image.Resampling.BICUBIC)


def paper(canvas: Canvas, rng: Random, inks: Inks, subject: str) -> None:
    """Sheets of cut paper, each with the shadow it throws on the one behind."""
    w, h, u = canvas.width, canvas.height, canvas.unit
    first, second = rng.sample(inks.colours, 2)
    canvas.fill((mix(inks.ground, first, 0.12), inks.ground))
    x, y, r = w * rng.uniform(0.25, 0.75), h * rng.uniform(0.25, 0.4), u * rng.uniform(10, 16)
    disc = [(x + r * math.cos(turn / 10), y + r * math.sin(turn / 10)) for turn in range(64)]
    _sheet(canvas, mix(second, inks.ground, 0.15), disc, [])
    count = 6
    for index in range(count):
        near = index / (count - 1)
        crest = waves(rng, w, h * (0.4 + 0.46 * near), h * 0.055, rng.uniform(0.8, 1.6))
        colour = mix(mix(inks.ground, first, 0.35 + 0.65 * near), inks.dark, 0.45 * max(0.0, near - 0.4))
        _sheet(canvas, colour, crest, [(w, h), (0, h)])


def _sheet(canvas: Canvas, colour: Colour, edge: list[Point], rest: list[Point]) -> None:
    u = canvas.unit
    with canvas.layer((20, 16, 24), opacity=0.36, blur=u * 1.2) as mask:
        mask.line([(x, y + u * 0.2) for x, y in edge], u * 2.6)
    with canvas.layer(canvas.gradient((mix(colour, (255, 255, 255), 0.1), colour))) as mask:
        mask.polygon([*edge, *rest])


def arches(canvas: Canvas, rng: Random, inks: Inks, subject: str) -> None:
    w, h, u = canvas.width, canvas.height, canvas.unit
    canvas.fill((inks.ground, mix(inks.ground, inks.colours[-1], 0.18)))
    with canvas.layer(rng.choice(inks.colours[:2])) as mask:
        mask.ellipse(w * rng.uniform(0.2, 0.8), h * rng.uniform(0.2, 0.3), u * rng.uniform(9, 14))
    for x in _arch_places(rng, w / u):
        _arch(canvas, rng, inks, (x * u, h * rng.uniform(0.5, 0.66), u * rng.uniform(21, 33)))
    with canvas.layer(rng.choice((inks.dark, inks.colours[2]))) as mask:
        mask.rectangle(0, h * 0.9, w, h)


def _arch_places(rng: Random, width: float) -> list[float]:
    count = max(2, round(width / 52))
    return [width * (index + 0.5) / count + rng.uniform(-9, 9) for index in range(count)]


def _arch(canvas: Canvas, rng: Random, inks: Inks, place: tuple[float, float, float]) -> None:
    x, y, r = place
    colours = rng.sample(inks.colours, len(inks.colours))
    bands = rng.choice((4, 5))
    for index in range(bands):
        reach = r * (1 - index / bands)
        for colour, part in ((colours[index], reach), (inks.ground, reach - r * 0.78 / bands)):
            with canvas.layer(colour) as mask:
                mask.slice(x, y, part, 180, 360)
                mask.rectangle(x - part, y - 0.5, x + part, canvas.height)


def contours(canvas: Canvas, rng: Random, inks: Inks, subject: str) -> None:
    """Lines over hills, each hiding what lies behind it."""
    w, h, u = canvas.width, canvas.height, canvas.unit
    ground = inks.dark if "dark" in subject else inks.ground
    canvas.fill((ground, mix(ground, inks.colours[0], 0.12)))
    hills = [
        (rng.uniform(0.15, 0.85) * w, rng.uniform(0.25, 0.95), rng.uniform(0.05, 0.13) * w) for _ in range(7)
    ]
    count = 34
    top = min(_rise(hills, x, 0, h) for x in range(0, w, 6))
    with canvas.layer(canvas.gradient(inks.colours[:3], top, h)) as mask:
        for index in range(count):
            line = [(x, _rise(hills, x, index / (count - 1), h)) for x in range(0, w + 6, 6)]
            mask.polygon([*line, (w + 6, h), (0, h)], value=0)
            mask.line(line, u * 0.45)


def _rise(hills: list[tuple[float, float, float]], x: float, depth: float, h: float) -> float:
    lift = sum(math.exp(-(((x - at) / wide) ** 2) - ((depth - row) * 4.5) ** 2) for at, row, wide in hills)
    return h * (0.22 + 0.72 * depth - 0.24 * lift)


def ribbons(canvas: Canvas, rng: Random, inks: Inks, subject: str) -> None:
    """Broad silky bands that cross the picture side by side."""
    w, h, u = canvas.width, canvas.height, canvas.unit
    canvas.fill((inks.ground, mix(inks.ground, inks.colours[-1], 0.35)))
    middle = waves(rng, w, h * 0.5, h * 0.2, rng.uniform(0.6, 1.1))
    fan = waves(rng, w, 1.0, 0.45, rng.uniform(0.4, 0.8))
    count = 13
    for index in range(count):
        offset = (index - count / 2) * u * 5.2
        upper = [(x, y + offset * spread) for (x, y), (_, spread) in zip(middle, fan, strict=True)]
        lower = [
            (x, y + (offset + u * 6.4) * spread) for (x, y), (_, spread) in zip(middle, fan, strict=True)
        ]
        colour = inks.colours[index % len(inks.colours)]
        shade = canvas.gradient((mix(colour, inks.ground, 0.35), colour, mix(colour, inks.dark, 0.25)))
        with canvas.layer(shade) as mask:
            mask.polygon([*upper, *reversed(lower)])
