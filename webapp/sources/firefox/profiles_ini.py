"""Reads `profiles.ini`, where Firefox names its profiles.

Not with configparser: that refuses a whole file for one odd line, and expands `%` in paths.
"""

import re
from dataclasses import dataclass
from pathlib import Path

MAX_SECTIONS = 200
_SECTION = re.compile(r"\[([^\[\]]{1,100})\]")


@dataclass(frozen=True, slots=True)
class NamedFolder:
    """A profile's folder. `name` is empty where the file has none. `is_default`: a Firefox that is installed
    here opens it by itself."""

    folder: Path
    name: str
    is_default: bool


def read_profiles_ini(content: bytes, root: Path) -> list[NamedFolder]:
    """The profiles that a `profiles.ini` in the folder `root` names, each once.

    The profile in use stands under `[Install…]`. `Default=1` of a profile means nothing: it is that of the
    first profile, which may never have been used.
    """
    sections = _sections(content.decode("utf-8-sig", "replace"))
    installed = [
        _folder(root, fields.get("default", ""), is_relative=True)
        for name, fields in sections
        if name.lower().startswith("install")
    ]
    named = {
        folder: fields.get("name", "")[:100]
        for name, fields in sections
        if name.lower().startswith("profile")
        and (folder := _folder(root, fields.get("path", ""), fields.get("isrelative", "1") != "0"))
    }
    folders = dict.fromkeys([*named, *filter(None, installed)])
    return [NamedFolder(folder, named.get(folder, ""), folder in installed) for folder in folders]


def _sections(text: str) -> list[tuple[str, dict[str, str]]]:
    sections: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        if match := _SECTION.fullmatch(line.strip()):
            if len(sections) == MAX_SECTIONS:
                break
            sections.append((match[1], {}))
        elif sections:
            key, equals, value = line.partition("=")
            if equals:
                sections[-1][1].setdefault(key.strip().lower(), value.strip())
    return sections


def _folder(root: Path, text: str, is_relative: bool) -> Path | None:
    """The folder that a section names; `default` of an `[Install…]` may be absolute too."""
    if not text or "\x00" in text or len(text) > 4096:
        return None
    path = Path(text.replace("\\", "/") if is_relative else text)
    if path.is_absolute() or is_relative:
        return root / path
    return None
