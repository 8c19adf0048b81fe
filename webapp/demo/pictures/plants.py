"""Things that grow: leaves, a meadow in flower."""

import math
from random import Random

from webapp.demo.pictures.canvas import Canvas, Colour, Mask, Point, mix
from webapp.demo.pictures.palettes import Inks


def leaves(canvas: Canvas, rng: Random, inks: Inks, subject: str) -> None:
    w, h, u = canvas.width, canvas.height, canvas.unit
    canvas.fill((mix(inks.ground, (255, 255, 255), 0.3), inks.ground))
    with canvas.layer(mix(inks.colours[-1], inks.ground, 0.4)) as mask:
        mask.ellipse(w * rng.uniform(0.35, 0.65), h * rng.uniform(0.4, 0.55), u * rng.uniform(26, 36))
    count = max(3, round(w / u / 26))
    for index in range(count):
        foot = (w * (index + rng.uniform(0.3, 0.7)) / count, h * 1.02)
        lean = rng.uniform(-0.35, 0.35)
        tall = h * rng.uniform(0.55, 0.92)
        _frond(canvas, rng, (inks.colours[index % 3], inks.dark), (*foot, lean, tall))


def _frond(
    canvas: Canvas, rng: Random, colours: tuple[Colour, Colour], place: tuple[float, float, float, float]
) -> None:
    """A stem that bends, with leaves in pairs that grow smaller towards its tip."""
    x, y, lean, tall = place
    colour, dark = colours
    bend = rng.uniform(-0.5, 0.5)
    stem = [
        (x + math.sin(lean + bend * t) * tall * t, y - math.cos(lean + bend * t) * tall * t)
        for t in (i / 20 for i in range(21))
    ]
    pairs = rng.randint(6, 9)
    slender = rng.uniform(0.2, 0.42)
    lit, shade = mix(colour, (255, 255, 255), 0.12), mix(colour, dark, 0.22)
    with (
        canvas.layer(lit) as left,
        canvas.layer(shade) as right,
        canvas.layer(mix(colour, dark, 0.5)) as veins,
    ):
        veins.line(stem, canvas.unit * 0.6)
        for pair in range(pairs):
            t = 0.22 + 0.74 * pair / (pairs - 1)
            long = tall * (0.3 - 0.2 * t) * rng.uniform(0.9, 1.1)
            heading = lean + 2 * bend * t
            for side in (-1, 1):
                angle = heading + side * (1.0 - 0.35 * t)
                _leaf((left, right, veins), stem[round(t * 20)], (angle, long, long * slender), canvas.unit)
        _leaf((left, right, veins), stem[-1], (lean + 2 * bend, tall * 0.12, tall * 0.04), canvas.unit)


def _leaf(
    masks: tuple[Mask, Mask, Mask], foot: Point, shape: tuple[float, float, float], unit: float
) -> None:
    """One half is lit, the other in shade, the vein between them."""
    angle, long, wide = shape
    x, y = foot
    along, across = (math.sin(angle), -math.cos(angle)), (math.cos(angle), math.sin(angle))
    outline = [(t, math.sin(math.pi * t**0.8) * wide / 2) for t in (i / 12 for i in range(13))]
    for mask, side in zip(masks, (-1, 1), strict=False):
        curve = [
            (
                x + along[0] * long * t + across[0] * side * out,
                y + along[1] * long * t + across[1] * side * out,
            )
            for t, out in outline
        ]
        mask.polygon(curve)
    masks[2].line([(x, y), (x + along[0] * long * 0.94, y + along[1] * long * 0.94)], unit * 0.3)


def meadow(canvas: Canvas, rng: Random, inks: Inks, subject: str) -> None:
    w, h, u = canvas.width, canvas.height, canvas.unit
    sky = mix(inks.ground, inks.colours[-2], 0.25)
    canvas.fill((sky, inks.ground, mix(inks.ground, inks.colours[-1], 0.5)))
    canvas.glow(w * rng.uniform(0.2, 0.8), h * 0.25, u * 60, (255, 255, 255), 0.8)
    greens = mix(inks.dark, (96, 140, 90), 0.6), mix(inks.dark, (60, 96, 70), 0.5)
    for index in range(3):
        near = index / 2
        green = mix(mix(greens[0], inks.ground, 0.55), greens[1], near)
        for _ in range(10 - index * 2):
            x, y = rng.uniform(0, w), h * rng.uniform(0.2 + 0.1 * near, 0.55 + 0.15 * near)
            colour = mix(rng.choice(inks.colours[:3]), inks.ground, 0.4 * (1 - near))
            _flower(canvas, rng, (colour, green, inks), (x, y, u * (3 + 4.5 * near) * rng.uniform(0.8, 1.2)))
        _grass(canvas, rng, green, h * (0.42 + 0.13 * near))


def _grass(canvas: Canvas, rng: Random, green: Colour, top: float) -> None:
    u, h = canvas.unit, canvas.height
    with canvas.layer(canvas.gradient((mix(green, (255, 255, 255), 0.12), green), top, h)) as mask:
        for _ in range(110):
            x, tip = rng.uniform(0, canvas.width), rng.gauss(top + h * 0.22, h * 0.07)
            lean, wide = rng.gauss(0, 5) * u, u * rng.uniform(0.6, 1.6)
            mask.polygon([(x - wide, h), (x + lean * 0.4, (tip + h) / 2), (x + lean, tip), (x + wide, h)])
    canvas.haze(mix(green, (0, 0, 0), 0.3), top + h * 0.15, h, 0.75)


def _flower(
    canvas: Canvas, rng: Random, colours: tuple[Colour, Colour, Inks], place: tuple[float, float, float]
) -> None:
    x, y, r = place
    colour, green, inks = colours
    sway = rng.uniform(-3, 3) * r
    with canvas.layer(mix(green, inks.dark, 0.2)) as mask:
        mask.line([(x, y), (x + sway * 0.2, y + r * 4), (x + sway, canvas.height)], max(0.8, r * 0.12))
    petals, turn = rng.choice((5, 6, 8)), rng.uniform(0, 1)
    for ring, shade in ((1.0, colour), (0.68, mix(colour, (255, 255, 255), 0.18))):
        with canvas.layer(shade) as mask:
            for petal in range(petals):
                angle = turn + petal * 2 * math.pi / petals
                reach = r * 0.62 * ring
                mask.ellipse(x + math.cos(angle) * reach, y + math.sin(angle) * reach * 0.85, r * 0.46 * ring)
    with canvas.layer(mix(inks.dark, colour, 0.2)) as mask:
        mask.ellipse(x, y, r * 0.26)
