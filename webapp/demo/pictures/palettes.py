"""The colours of the pictures, each set with the words a prompt has for it."""

from dataclasses import dataclass

from webapp.demo.pictures.canvas import Colour


@dataclass(frozen=True, slots=True)
class Light:
    """A time of day: sky from top to horizon, land from far to near."""

    words: str
    sky: tuple[Colour, ...]
    sun: Colour
    far: Colour
    near: Colour
    accent: Colour
    accent_words: str


@dataclass(frozen=True, slots=True)
class Inks:
    """A ground and the colours printed on it, light ones and dark ones mixed."""

    words: str
    ground: Colour
    colours: tuple[Colour, ...]
    dark: Colour


def _colours(text: str) -> tuple[Colour, ...]:
    return tuple((int(word[:2], 16), int(word[2:4], 16), int(word[4:], 16)) for word in text.split())


def _light(words: str, sky: str, rest: str, accent_words: str) -> Light:
    """`rest` is sun, far land, near land and accent."""
    return Light(words, _colours(sky), *_colours(rest), accent_words)


def _inks(words: str, ground: str, colours: str, dark: str) -> Inks:
    return Inks(words, _colours(ground)[0], _colours(colours), _colours(dark)[0])


DAYS = (
    _light("at dusk", "2b2d5b 7b4b7f d9747a f7b58a", "fff0c8 c97f86 2c2142 e8443a", "red"),
    _light("at first light", "8fb4c9 c9d3cf f4dcc0 fbe9cf", "fffbe8 c9b6ab 4d4a5c d9603f", "orange"),
    _light("in the golden hour", "5f7fa3 b9a48f f0b866 fbd98c", "fff3c0 d9a066 5a3327 b8322f", "red"),
    _light("on a clear morning", "3f86b8 86bfd6 cfe6e6 f4f1e0", "ffffff a9c4c4 20505a f2a541", "orange"),
    _light("under a rose sky", "6d6a9c b78fb0 efb6b9 fce0d0", "fff4ea b592ac 46375f f2d06b", "yellow"),
    _light("after the rain", "4c6173 8399a3 c3cbc6 ece6d4", "fffbe6 9fb0ad 27383d e3b23c", "yellow"),
    _light("at the end of summer", "356a8c 7fa8a6 e3cf9b f6e3b4", "fff8d6 c3b27b 4b4a2a c8452e", "red"),
    _light("in a red evening", "33193f 86264f d94a43 f9a14a", "ffe6a0 b3404b 270f2c ffd166", "yellow"),
    _light("in the blue hour", "101d42 274a7d 6486ae c9b7c0", "fff0d8 5c77a0 0d1730 ffc65c", "yellow"),
    _light("on a pale winter day", "9fb6c6 c7d6dd e6ebea f7f2ea", "ffffff b9cad1 45606f c8553d", "red"),
    _light("in soft green light", "2f5d62 6f9a8d b8cfa8 efeac3", "fffde0 92b39a 17383a ef7b45", "orange"),
    _light("under a lilac haze", "4a4e8f 8681bd c9b3d8 f5d9dc", "fff3f0 a49ac6 2d2a5e ffd27a", "yellow"),
)

NIGHTS = (
    _light("on a clear night", "060a1f 0f1b40 22386b 4b5f8f", "fdf6dc 1d2c55 050816 ffd98a", "golden"),
    _light("long after sunset", "0b0c26 241a4a 57336b b0586f", "fff1d6 3a2457 0a0719 ffb86b", "amber"),
    _light(
        "in a green northern night",
        "04111d 082b36 0f4a4c 2f7365",
        "f2fff2 0c3038 020a10 ffe29a",
        "golden",
    ),
    _light("before dawn", "0d1b3a 1f3a66 4c6f98 d3a99a", "fff8ea 2f4c78 0a1226 ffcf86", "amber"),
    _light("in deep violet dark", "0a0620 1c0f45 3f1f6e 7a3a8c", "fff0ff 2a1553 07041a ff9fd0", "pink"),
    _light("in the small hours", "071318 0e2a33 1f4a52 5a7d78", "fdfbe6 14353e 040c10 f6c667", "amber"),
)

PRINTS = (
    _inks("red, ochre and navy", "f1e7d0", "d1432f e8a33d 1f3b5c 7aa6a1 f4cfa4", "1b1f2a"),
    _inks("terracotta and sage", "f5ecdf", "c8694b e0a07c 8ba888 4f6d5f e9cfae", "3a2f2b"),
    _inks("coral, teal and sand", "f7efe1", "ef6f5e f6b99b 2a8c8a 9fd0c5 e3c98f", "16393f"),
    _inks("mustard, plum and cream", "fbf3e0", "d9a21b 6b2d5c b5566e eec977 93a39a", "2c1a2e"),
    _inks("primary colours", "f4f0e6", "d8262c f2b705 1c4e9a 2a2a2a e5dccb", "1a1a1a"),
    _inks("forest greens and gold", "eef0e0", "2f5d46 7f9f5f c9a441 b7c9a4 1d3a32", "15251f"),
    _inks("powder blue and rust", "eef1f0", "a5c4d4 5f8aa5 b5532f e6b89c 304b5e", "1f2c38"),
    _inks("pink, orange and burgundy", "fdf0ea", "f28fa0 f2762e 7d1f3c f9c5a8 e14a5b", "401226"),
    _inks("black, bone and vermilion", "efe6d8", "e0402a 2b2a29 c9bda8 8c8273 f0b29a", "171616"),
    _inks("mint, lavender and apricot", "f6f4ef", "9fd3bd b8a6d9 f7b58b 6f7fb8 f3dba2", "32324f"),
    _inks("indigo and warm white", "f3efe6", "28345f 4f64a0 9fb0d6 e8c9a0 d9724f", "141a36"),
    _inks("olive, brick and sky", "f2eddc", "7d7b3a b5513c 8fb8c9 dfc98a 4b5a3c", "29261a"),
)
