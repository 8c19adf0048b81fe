"""Land and sea by day: dunes, mountains, the sea, balloons over hills, a forest in fog."""

import math
from random import Random

from webapp.demo.pictures.canvas import Canvas, Colour, Point, mix
from webapp.demo.pictures.lines import jagged, slope, waves
from webapp.demo.pictures.palettes import Light
from webapp.demo.pictures.subjects import add_subject, fir, firs


def dunes(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h = canvas.width, canvas.height
    canvas.fill(light.sky)
    sun(canvas, rng, light, rng.uniform(0.2, 0.42))
    count = 5
    for index in range(count):
        near = index / (count - 1)
        colour = mix(light.far, light.near, near**1.3 * 0.85)
        crest = waves(rng, w, h * (0.52 + 0.36 * near), h * (0.04 + 0.06 * near), 1.4 - 0.5 * near)
        _dune(canvas, rng, crest, colour, light)
        canvas.haze(light.sky[-1], h * 0.4, h * (0.72 + 0.36 * near), 0.18 * (1 - near))
    add_subject(canvas, rng, light, subject)


def _dune(canvas: Canvas, rng: Random, crest: list[Point], colour: Colour, light: Light) -> None:
    """The slope that faces the sun is light, the other one lies in shade below a winding edge."""
    h = canvas.height
    top = min(y for _, y in crest)
    lit = mix(colour, light.sun, 0.34)
    with canvas.layer(canvas.gradient((lit, colour, mix(colour, light.near, 0.4)), top, h)) as mask:
        mask.polygon([*crest, (canvas.width, h), (0, h)])
    peak = min(range(len(crest)), key=lambda index: crest[index][1])
    x, y = crest[peak]
    reach = h * rng.uniform(0.25, 0.45)
    lean = rng.uniform(-0.35, 0.35) * reach
    edge = [
        (x + lean * t + math.sin(t * 5) * reach * 0.09, y + reach * t) for t in (i / 16 for i in range(17))
    ]
    with canvas.layer(mix(colour, light.near, 0.6), opacity=0.55, blur=canvas.unit * 0.35) as mask:
        mask.polygon([*crest[peak:], (canvas.width, y + reach), *reversed(edge)])


def mountains(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h = canvas.width, canvas.height
    canvas.fill(light.sky)
    sun_x = sun(canvas, rng, light, rng.uniform(0.16, 0.36))
    waterline = h * rng.uniform(0.7, 0.77)
    _range(canvas, jagged(rng, w, waterline - h * 0.2, h * 0.2), mix(light.far, light.sky[-1], 0.3))
    for place in _peak_places(rng, canvas, waterline):
        _peak(canvas, rng, light, (*place, sun_x))
    canvas.haze(light.sky[-1], waterline - h * 0.3, waterline, 0.6)
    _range(canvas, jagged(rng, w, waterline - h * 0.01, h * 0.13), mix(light.far, light.near, 0.6))
    firs(canvas, rng, mix(light.far, light.near, 0.85), waterline, h * 0.09)
    canvas.mirror(waterline, mix(light.sky[0], light.near, 0.5), 0.35, rng)
    canvas.glow(w * 0.5, waterline, w * 0.45, light.sky[-1], 0.25)
    add_subject(canvas, rng, light, subject)


def _range(canvas: Canvas, ridge: list[Point], colour: Colour) -> None:
    top = min(y for _, y in ridge)
    shades = (mix(colour, (255, 255, 255), 0.12), colour)
    with canvas.layer(canvas.gradient(shades, top, top + canvas.height * 0.2)) as mask:
        mask.polygon([*ridge, (canvas.width, canvas.height), (0, canvas.height)])


def _peak_places(rng: Random, canvas: Canvas, foot: float) -> list[tuple[float, float, float]]:
    """Where peaks stand (x, foot, height): lower ones first, for they are behind."""
    count = max(2, round(canvas.width / canvas.height * 2))
    tall = min(canvas.height * 0.46, canvas.width * 0.4)
    places = [
        (canvas.width * (index + rng.uniform(0.2, 0.8)) / count, foot, tall * rng.uniform(0.55, 1))
        for index in range(count)
    ]
    return sorted(places, key=lambda place: place[2])


def _peak(canvas: Canvas, rng: Random, light: Light, place: tuple[float, float, float, float]) -> None:
    x, foot, tall, sun_x = place
    lit, shade = mix(light.far, light.near, 0.3), mix(light.far, light.near, 0.55)
    sides = (lit, shade) if sun_x < x else (shade, lit)
    snow = mix(light.sun, light.sky[-1], 0.25), mix(light.sun, shade, 0.5)
    snow = snow if sun_x < x else snow[::-1]
    edge = slope(rng, (x, foot - tall), (x + tall * rng.uniform(-0.2, 0.2), foot))
    for side, rock, white in zip((-1, 1), sides, snow, strict=True):
        side_line = slope(rng, (x, foot - tall), (x + side * tall * rng.uniform(0.85, 1.15), foot))
        with canvas.layer(rock) as mask:
            mask.polygon([*side_line, *reversed(edge)])
        with canvas.layer(white) as mask:
            mask.polygon(_cap(rng, side_line, edge))


def _cap(rng: Random, side: list[Point], edge: list[Point]) -> list[Point]:
    """The snow of one side: down the slope, back in teeth, up the edge."""
    down, up = side[: rng.randint(7, 10)], edge[: rng.randint(7, 11)]
    (x0, y0), (x1, y1) = down[-1], up[-1]
    teeth = 6
    ragged = [
        (x0 + (x1 - x0) * t / teeth, y0 + (y1 - y0) * t / teeth + (y0 - down[0][1]) * rng.uniform(-0.34, 0.3))
        for t in range(1, teeth)
    ]
    return [*down, *ragged, *reversed(up)]


def sea(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h = canvas.width, canvas.height
    horizon = h * rng.uniform(0.52, 0.64)
    canvas.paste(canvas.gradient(light.sky, 0, horizon))
    x = w * rng.uniform(0.25, 0.75)
    radius = canvas.unit * rng.uniform(7, 13)
    clouds(canvas, rng, light, horizon)
    canvas.glow(x, horizon - radius * 0.4, radius * 6, light.sun, 0.7)
    with canvas.layer(light.sun) as mask:
        mask.ellipse(x, horizon - radius * 0.35, radius)
    water = (mix(light.sky[-1], light.far, 0.55), mix(light.far, light.near, 0.55), light.near)
    with canvas.layer(canvas.gradient(water, horizon, h)) as mask:
        mask.rectangle(0, horizon, w, h)
    _glitter(canvas, rng, light, (x, horizon, radius))
    add_subject(canvas, rng, light, subject)


def _glitter(canvas: Canvas, rng: Random, light: Light, sun_at: tuple[float, float, float]) -> None:
    """Short bright strokes below the sun and dark ones elsewhere, longer the nearer they are."""
    x, horizon, radius = sun_at
    depth = canvas.height - horizon
    with canvas.layer(light.sun, opacity=0.75) as bright, canvas.layer(light.near, opacity=0.35) as dark:
        for _ in range(170):
            near = rng.random() ** 1.7
            y = horizon + depth * near
            long = canvas.unit * (0.8 + 6 * near)
            spread = radius * (0.5 + 2.4 * near)
            bright.ellipse(rng.gauss(x, spread * 0.5), y, long * rng.uniform(0.3, 1), 0.16 + long * 0.045)
            dark.ellipse(rng.uniform(0, canvas.width), y, long * rng.uniform(0.6, 1.8), 0.12 + long * 0.03)


def balloons(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h = canvas.width, canvas.height
    canvas.fill(light.sky)
    sun(canvas, rng, light, rng.uniform(0.25, 0.5))
    clouds(canvas, rng, light, h * 0.7)
    for index in range(4):
        near = index / 3
        crest = waves(rng, w, h * (0.72 + 0.19 * near), h * 0.05, 1.1)
        colour = mix(light.far, light.near, 0.1 + near * 0.8)
        with canvas.layer(canvas.gradient((mix(colour, light.sun, 0.18), colour), h * 0.68, h)) as mask:
            mask.polygon([*crest, (w, h), (0, h)])
        canvas.haze(light.sky[-1], h * 0.6, h * (0.87 + 0.19 * near), 0.5 * (1 - near))
    for x, y, size in _balloon_places(rng, int(subject.split(maxsplit=1)[0] == "three") * 2 + 1):
        _balloon(canvas, rng, light, (w * x, h * y, canvas.unit * size))


def _balloon_places(rng: Random, count: int) -> list[tuple[float, float, float]]:
    if count == 1:
        return [(rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.42), 17)]
    places = [(0.25, 0.46, 8), (0.78, 0.24, 10), (0.5, 0.36, 14)]
    return [(x + rng.uniform(-0.06, 0.06), y + rng.uniform(-0.08, 0.08), size) for x, y, size in places]


def _balloon(canvas: Canvas, rng: Random, light: Light, place: tuple[float, float, float]) -> None:
    x, y, r = place
    stripes = (light.accent, mix(light.sun, light.accent, 0.25), mix(light.accent, light.near, 0.45))
    for index in range(5):
        share = 1 - index / 5
        with canvas.layer(stripes[index % 3]) as mask:
            mask.ellipse(x, y, r * share, r)
            mask.polygon(
                [
                    (x - r * share * 0.9, y + r * 0.42),
                    (x + r * share * 0.9, y + r * 0.42),
                    (x + r * 0.2 * share, y + r * 1.35),
                    (x - r * 0.2 * share, y + r * 1.35),
                ]
            )
    canvas.glow(x - r * 0.4, y - r * 0.4, r * 0.8, (255, 255, 255), 0.35)
    with canvas.layer(light.near) as mask:
        mask.line([(x - r * 0.18, y + r * 1.3), (x - r * 0.1, y + r * 1.65)], 0.7)
        mask.line([(x + r * 0.18, y + r * 1.3), (x + r * 0.1, y + r * 1.65)], 0.7)
        mask.rectangle(x - r * 0.13, y + r * 1.6, x + r * 0.13, y + r * 1.8)


def forest(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h = canvas.width, canvas.height
    canvas.fill((mix(light.sky[1], light.far, 0.4), light.sky[-1], light.far))
    canvas.glow(w * rng.uniform(0.3, 0.7), h * 0.4, max(w, h) * 0.5, light.sun, 0.9)
    for index in range(5):
        near = index / 4
        colour = mix(light.far, light.near, near)
        ground = waves(rng, w, h * (0.66 + 0.27 * near), h * 0.02, 1.2)
        with canvas.layer(colour, blur=canvas.unit * (0.5 - 0.4 * near)) as mask:
            for _ in range(11 - index):
                fir(mask, rng, rng.uniform(0, w), h * (0.68 + 0.28 * near), h * (0.26 + 0.4 * near))
            mask.polygon([*ground, (w, h), (0, h)])
        canvas.haze(light.sky[-1], h * 0.35, h * (0.77 + 0.27 * near), 0.66 * (1 - near))
    add_subject(canvas, rng, light, subject)


def sun(canvas: Canvas, rng: Random, light: Light, height: float) -> float:
    """Paint it and say how far from the left it stands."""
    x, y = canvas.width * rng.uniform(0.2, 0.8), canvas.height * height
    radius = canvas.unit * rng.uniform(5, 10)
    canvas.glow(x, y, radius * 6.5, light.sun, 0.75)
    with canvas.layer(light.sun) as mask:
        mask.ellipse(x, y, radius)
    return x


def clouds(canvas: Canvas, rng: Random, light: Light, lowest: float) -> None:
    colour = mix(light.sky[-1], light.sun, 0.6)
    with canvas.layer(colour, opacity=0.5, blur=canvas.unit * 0.9) as mask:
        for _ in range(rng.randint(3, 6)):
            x, y = rng.uniform(0, canvas.width), rng.uniform(0.12, 0.9) * lowest
            for _ in range(9):
                reach = canvas.unit * rng.uniform(5, 20)
                mask.ellipse(
                    x + rng.gauss(0, 14) * canvas.unit, y + rng.gauss(0, 1) * canvas.unit, reach, reach * 0.08
                )
