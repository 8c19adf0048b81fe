"""What there is to see after dark: stars, northern lights, a city, other worlds."""

import math
from random import Random

from PIL import Image

from webapp.demo.pictures.canvas import Canvas, Colour, Mask, blurred, mix
from webapp.demo.pictures.lines import jagged, waves
from webapp.demo.pictures.palettes import Light
from webapp.demo.pictures.subjects import firs


def stars(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h = canvas.width, canvas.height
    canvas.fill(light.sky)
    _milky_way(canvas, rng, light)
    _sprinkle(canvas, rng, light, h * 0.9, 260)
    if "moon" in subject:
        _moon(canvas, rng, light, "crescent" in subject)
    for index, share in enumerate((0.35, 0.7)):
        ridge = jagged(rng, w, h * (0.86 + 0.07 * index), h * 0.16)
        with canvas.layer(mix(light.far, light.near, share)) as mask:
            mask.polygon([*ridge, (w, h), (0, h)])
        canvas.haze(light.sky[-1], h * 0.6, h * 0.95, 0.3 * (1 - index))
    firs(canvas, rng, light.near, h * 1.01, h * rng.uniform(0.16, 0.28))


def _milky_way(canvas: Canvas, rng: Random, light: Light) -> None:
    """A band of soft light across the sky, and the dark lane in it."""
    w, h, u = canvas.width, canvas.height, canvas.unit
    lean, start = rng.choice((-1, 1)) * rng.uniform(0.5, 1.1), rng.uniform(0.3, 0.7)
    for colour, spread, opacity in ((light.sky[-1], 13, 0.55), (light.sun, 5, 0.3), (light.sky[0], 2.2, 0.4)):
        with canvas.layer(colour, opacity=opacity, blur=u * (1.5 + spread * 0.35)) as mask:
            for _ in range(70):
                along = rng.uniform(-0.1, 1.0)
                x = w * start + lean * (along - 0.4) * h + rng.gauss(0, spread) * u
                mask.ellipse(x, along * h, u * rng.uniform(1, 0.5 * spread + 1.5))


def _sprinkle(canvas: Canvas, rng: Random, light: Light, lowest: float, count: int) -> None:
    with canvas.layer(light.sun) as mask:
        for _ in range(count):
            level = int(60 + 195 * rng.random() ** 2)
            size = canvas.unit * (0.1 + 0.22 * rng.random() ** 5)
            mask.ellipse(rng.uniform(0, canvas.width), rng.uniform(0, lowest), size, value=level)
    for _ in range(rng.randint(3, 6)):
        x, y = rng.uniform(0, canvas.width), rng.uniform(0, lowest * 0.7)
        canvas.glow(x, y, canvas.unit * rng.uniform(1.5, 3.2), light.sun, 0.9)


def _moon(canvas: Canvas, rng: Random, light: Light, crescent: bool) -> None:
    x, y = canvas.width * rng.uniform(0.2, 0.8), canvas.height * rng.uniform(0.18, 0.36)
    radius = canvas.unit * rng.uniform(6, 10)
    canvas.glow(x, y, radius * 5, light.sun, 0.5)
    with canvas.layer(light.sun) as mask:
        mask.ellipse(x, y, radius)
        if crescent:
            mask.ellipse(x + radius * 0.45, y - radius * 0.2, radius * 0.88, value=0)
    if not crescent:
        with canvas.layer(mix(light.sun, light.sky[1], 0.35), opacity=0.35, blur=radius * 0.05) as mask:
            for dx, dy, size in (
                (-0.3, -0.25, 0.26),
                (0.25, 0.1, 0.34),
                (-0.2, 0.4, 0.18),
                (0.35, -0.45, 0.13),
            ):
                mask.ellipse(x + dx * radius, y + dy * radius, size * radius)


def aurora(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h = canvas.width, canvas.height
    canvas.fill((light.sky[0], light.sky[0], light.sky[1], light.sky[2]))
    _sprinkle(canvas, rng, light, h * 0.8, 160)
    greens = ((110, 245, 170), (70, 220, 200), (150, 120, 240))
    for colour in [*rng.sample(greens, 2), greens[0]]:
        canvas.paste(colour, _curtain(canvas, rng))
    waterline = h * rng.uniform(0.74, 0.8)
    ridge = jagged(rng, w, waterline, h * 0.2)
    with canvas.layer(canvas.gradient((light.far, light.near), waterline - h * 0.2, waterline)) as mask:
        mask.polygon([*ridge, (w, h), (0, h)])
    firs(canvas, rng, light.near, waterline, h * 0.1)
    canvas.mirror(waterline, light.near, 0.4, rng)


def _curtain(canvas: Canvas, rng: Random) -> Image.Image:
    """Rays that stand on a winding foot and fade upwards, drawn small and made soft."""
    w, h = max(24, canvas.width // 6), max(24, canvas.height // 6)
    small = Image.new("L", (w, h))
    foot = waves(rng, w, h * rng.uniform(0.42, 0.62), h * 0.12, rng.uniform(0.7, 1.4))
    ray = 0.6
    for x in range(w):
        ray = min(1.0, max(0.2, ray + rng.uniform(-0.22, 0.22)))
        base = foot[x * (len(foot) - 1) // w][1]
        tall = h * (0.25 + 0.35 * ray)
        for y in range(max(0, int(base - tall)), min(h, int(base + h * 0.05))):
            up = (base - y) / tall
            small.putpixel(
                (x, y), int(190 * ray * (max(0.0, 1 - up) ** 1.4 if up > 0 else max(0.0, 1 + up * 6)))
            )
    return blurred(small, 1.2).resize((canvas.width, canvas.height), Image.Resampling.BICUBIC)


def city(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h = canvas.width, canvas.height
    canvas.fill(light.sky)
    _sprinkle(canvas, rng, light, h * 0.5, 70)
    _moon(canvas, rng, light, "crescent" in subject)
    waterline = h * rng.uniform(0.76, 0.84)
    canvas.glow(w / 2, waterline, w * 0.6, light.accent, 0.35)
    for index in range(3):
        near = index / 2
        colour = mix(light.sky[-1], light.near, 0.6 + 0.35 * near)
        _skyline(canvas, rng, colour, (waterline, h * (0.5 - 0.17 * near)), light.accent if index else None)
    canvas.mirror(waterline, light.near, 0.45, rng)


def _skyline(
    canvas: Canvas, rng: Random, colour: Colour, place: tuple[float, float], lamp: Colour | None
) -> None:
    """A row of towers of one depth; `lamp` lights some of their windows."""
    foot, tall = place
    u = canvas.unit
    x = -rng.uniform(0, 6) * u
    windows = []
    with canvas.layer(colour) as mask:
        while x < canvas.width:
            wide, top = u * rng.uniform(5, 11), foot - tall * rng.uniform(0.35, 1)
            mask.rectangle(x, top, x + wide, foot)
            _roof(mask, rng, (x, top, wide), u)
            windows += [(x, top, wide)]
            x += wide + u * rng.choice((0, 0, 0.6, 2))
    if lamp:
        with canvas.layer(lamp, opacity=0.9) as mask:
            for tower in windows:
                _windows(mask, rng, tower, foot, u)


def _roof(mask: Mask, rng: Random, tower: tuple[float, float, float], u: float) -> None:
    x, top, wide = tower
    match rng.randrange(5):
        case 0:
            mask.polygon([(x, top), (x + wide / 2, top - wide * 0.7), (x + wide, top)])
        case 1:
            mask.rectangle(x + wide * 0.25, top - 2.5 * u, x + wide * 0.75, top)
            mask.line([(x + wide / 2, top - 8 * u), (x + wide / 2, top)], 0.4 * u)
        case 2:
            mask.slice(x + wide / 2, top, wide / 2, 180, 360)
        case 3:
            mask.polygon([(x, top), (x, top - wide * 0.4), (x + wide, top)])


def _windows(mask: Mask, rng: Random, tower: tuple[float, float, float], foot: float, u: float) -> None:
    x, top, wide = tower
    columns = max(2, int(wide / (1.9 * u)))
    pitch = wide / columns
    y = top + 1.6 * u
    while y < foot - 2 * u:
        for column in range(columns):
            if rng.random() < 0.36:
                left = x + pitch * (column + 0.28)
                mask.rectangle(left, y, left + pitch * 0.42, y + u * 0.85, rng.choice((110, 180, 255)))
        y += 2 * u


def planets(canvas: Canvas, rng: Random, light: Light, subject: str) -> None:
    w, h, u = canvas.width, canvas.height, canvas.unit
    canvas.fill((light.sky[0], light.sky[1], light.sky[0]))
    for _ in range(4):
        colour = rng.choice((light.sky[-1], light.accent, light.sky[2]))
        canvas.glow(rng.uniform(0, w), rng.uniform(0, h), u * rng.uniform(45, 80), colour, 0.4)
    _sprinkle(canvas, rng, light, h, 300)
    x, y, radius = w * rng.uniform(0.36, 0.64), h * rng.uniform(0.42, 0.58), u * rng.uniform(22, 30)
    ringed = "ring" in subject
    tilt = rng.uniform(0.18, 0.3)
    if ringed:
        _ring(canvas, light, (x, y, radius, tilt), 180, 360)
    _globe(canvas, rng, light, (x, y, radius))
    if ringed:
        _ring(canvas, light, (x, y, radius, tilt), 0, 180)
    for _ in range(2):
        angle, far = rng.uniform(0, 6.3), radius * rng.uniform(1.7, 2.3)
        place = (x + math.cos(angle) * far, y + math.sin(angle) * far * 0.6, u * rng.uniform(2.5, 5))
        _globe(canvas, rng, light, place)


def _globe(canvas: Canvas, rng: Random, light: Light, place: tuple[float, float, float]) -> None:
    x, y, r = place
    bands = [mix(light.accent, light.sky[-1], rng.random()) for _ in range(7)]
    bands = [mix(band, light.sun, rng.uniform(0, 0.35)) for band in bands]
    canvas.glow(x - r * 0.3, y - r * 0.3, r * 2, bands[0], 0.35)
    with canvas.layer(canvas.gradient(bands, y - r, y + r)) as mask:
        mask.ellipse(x, y, r)
    with canvas.layer(light.near, opacity=0.82, blur=r * 0.12) as mask:
        mask.ellipse(x, y, r * 0.99)
        mask.ellipse(x - r * 0.42, y - r * 0.3, r * 1.06, value=0)


def _ring(
    canvas: Canvas, light: Light, place: tuple[float, float, float, float], start: int, end: int
) -> None:
    x, y, r, tilt = place
    for share, width, opacity in ((1.9, 0.16, 0.75), (1.62, 0.2, 0.55), (1.38, 0.07, 0.4)):
        with canvas.layer(mix(light.sun, light.accent, 0.45), opacity=opacity) as mask:
            reach = r * share
            mask.arc((x - reach, y - reach * tilt, x + reach, y + reach * tilt), start, end, r * width * 0.6)
