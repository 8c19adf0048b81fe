"""What stands, flies or sails in a landscape."""

import math
from random import Random

from webapp.demo.pictures.canvas import Canvas, Colour, Mask, mix
from webapp.demo.pictures.palettes import Light


def add_subject(canvas: Canvas, rng: Random, light: Light, words: str) -> None:
    """Paint what the words of a prompt name; words that name nothing leave the place alone."""
    for word, paint in _SUBJECTS.items():
        if word in words:
            paint(canvas, rng, light)


def fir(mask: Mask, rng: Random, x: float, foot: float, tall: float) -> None:
    tall *= rng.uniform(0.55, 1.1)
    wide = tall * rng.uniform(0.15, 0.21)
    top = foot - tall
    mask.line([(x, top), (x, foot)], max(0.8, tall * 0.022))
    tiers = 8
    for tier in range(tiers):
        reach = wide * (0.16 + 0.84 * tier / tiers)
        y = top + tall * 0.92 * (tier + 1) / tiers
        droop = tall * 0.035
        left, right = reach * rng.uniform(0.8, 1.15), reach * rng.uniform(0.8, 1.15)
        mask.polygon(
            [(x, y - tall * 0.17), (x + right, y + droop), (x, y - droop * 0.4), (x - left, y + droop)]
        )


def firs(canvas: Canvas, rng: Random, colour: Colour, base: float, tall: float) -> None:
    """A fringe of trees along the lower edge."""
    with canvas.layer(colour) as mask:
        x = -tall * 0.2
        while x < canvas.width + tall * 0.2:
            fir(mask, rng, x, base, tall * rng.uniform(0.5, 1))
            x += tall * rng.uniform(0.1, 0.3)
        mask.rectangle(0, base - tall * 0.04, canvas.width, canvas.height + tall)


def _kite(canvas: Canvas, rng: Random, light: Light) -> None:
    u = canvas.unit
    x, y = canvas.width * rng.uniform(0.3, 0.75), canvas.height * rng.uniform(0.16, 0.34)
    with canvas.layer(light.accent) as mask:
        mask.polygon([(x, y - 6 * u), (x + 4.2 * u, y), (x + u, y + 8 * u), (x - 3.6 * u, y + u)])
    with canvas.layer(mix(light.accent, light.near, 0.45)) as mask:
        mask.polygon([(x, y - 6 * u), (x + 4.2 * u, y), (x + u, y + 8 * u)])
    tail = [(x + u + math.sin(t / 3) * 1.6 * u + t * 0.5 * u, y + 8 * u + t * 1.1 * u) for t in range(18)]
    with canvas.layer(light.near, opacity=0.8) as mask:
        mask.line(tail, 0.35 * u)


def _boat(canvas: Canvas, rng: Random, light: Light) -> None:
    u = canvas.unit
    x, y = canvas.width * rng.uniform(0.25, 0.75), canvas.height * rng.uniform(0.72, 0.78)
    with canvas.layer(mix(light.sun, light.sky[-1], 0.2)) as mask:
        mask.polygon([(x - 0.4 * u, y - 14 * u), (x - 0.4 * u, y - 1.6 * u), (x - 6 * u, y - 1.6 * u)])
    with canvas.layer(light.accent) as mask:
        mask.polygon([(x + 0.4 * u, y - 13 * u), (x + 5 * u, y - 1.6 * u), (x + 0.4 * u, y - 1.6 * u)])
    with canvas.layer(light.near) as mask:
        mask.polygon([(x - 6.5 * u, y - u), (x + 6.5 * u, y - u), (x + 4.6 * u, y + u), (x - 4.8 * u, y + u)])


def _birds(canvas: Canvas, rng: Random, light: Light) -> None:
    u = canvas.unit
    cx, cy = canvas.width * rng.uniform(0.3, 0.7), canvas.height * rng.uniform(0.15, 0.35)
    with canvas.layer(light.near, opacity=0.85) as mask:
        for _ in range(rng.randint(5, 9)):
            x, y, s = cx + rng.gauss(0, 10) * u, cy + rng.gauss(0, 5) * u, u * rng.uniform(1.2, 2.4)
            mask.line([(x - s, y - s * 0.4), (x - s * 0.45, y - s * 0.62), (x, y)], 0.4 * u)
            mask.line([(x, y), (x + s * 0.45, y - s * 0.62), (x + s, y - s * 0.4)], 0.4 * u)


def _cabin(canvas: Canvas, rng: Random, light: Light) -> None:
    u = canvas.unit
    x, y = canvas.width * rng.uniform(0.25, 0.7), canvas.height * 0.93
    with canvas.layer(mix(light.near, (0, 0, 0), 0.25)) as mask:
        mask.polygon([(x - 9 * u, y - 7 * u), (x, y - 14 * u), (x + 9 * u, y - 7 * u)])
        mask.rectangle(x - 7 * u, y - 8 * u, x + 7 * u, y + 2 * u)
    canvas.glow(x, y - 3 * u, 13 * u, light.accent, 0.6)
    with canvas.layer(mix(light.accent, (255, 240, 190), 0.55)) as mask:
        mask.rectangle(x - 4 * u, y - 5 * u, x - 1.2 * u, y - 1.6 * u)
        mask.rectangle(x + 1.2 * u, y - 5 * u, x + 4 * u, y - 1.6 * u)


_SUBJECTS = {"kite": _kite, "boat": _boat, "birds": _birds, "cabin": _cabin}
