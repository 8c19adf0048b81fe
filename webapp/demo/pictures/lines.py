"""Outlines that look grown or weathered rather than drawn."""

import math
from itertools import pairwise
from random import Random

from webapp.demo.pictures.canvas import Point


def waves(rng: Random, width: float, base: float, height: float, turns: float) -> list[Point]:
    """A soft line from left to right: three sines, each finer and lower than the one before."""
    parts = []
    for octave in range(1, 4):
        parts.append((turns * octave * rng.uniform(0.7, 1.3), rng.uniform(0, 6.3), height / octave**1.6))
    steps = 90
    line = []
    for along in (step / steps for step in range(steps + 1)):
        lift = sum(size * math.sin(6.28 * frequency * along + phase) for frequency, phase, size in parts)
        line.append((width * along, base - lift))
    return line


def jagged(rng: Random, width: float, base: float, height: float) -> list[Point]:
    """A rough line from left to right, by halving stretches again and again."""
    heights = [rng.uniform(*bounds) for bounds in ((0.1, 0.8), (0.5, 1), (0.1, 0.7), (0.4, 1), (0.1, 0.6))]
    reach = 0.3
    while len(heights) < 120:
        middles = [(a + b) / 2 + rng.uniform(-reach, reach) for a, b in pairwise(heights)]
        heights = [value for pair in zip(heights, middles, strict=False) for value in pair] + heights[-1:]
        reach *= 0.52
    steps = len(heights) - 1
    return [(width * index / steps, base - height * value) for index, value in enumerate(heights)]


def slope(rng: Random, top: Point, foot: Point) -> list[Point]:
    """A rugged way down."""
    steps = 24
    rough = (foot[1] - top[1]) * 0.022
    return [
        (
            top[0] + (foot[0] - top[0]) * step / steps + rng.uniform(-rough, rough) * (step > 0),
            top[1] + (foot[1] - top[1]) * step / steps,
        )
        for step in range(steps + 1)
    ]
