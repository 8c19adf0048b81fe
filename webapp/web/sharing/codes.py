"""The access codes of the owner and of guests: created once, and stored in share.json with mode 0600."""

import hmac
import json
import re
import secrets
from pathlib import Path

from webapp.database.states import Role
from webapp.errors import FlowshelfError
from webapp.storage import replace_file

SHARE_NAME = "share.json"
ROLES = (Role.OWNER, Role.GUEST)
# Without characters that look alike (i, l and 1; o and 0): a code may be typed by hand on another device.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 5, 5
MIN_CODE_LENGTH = 16
_RANDOM = re.compile(rf"([{_LETTERS}]{{{_GROUP_LENGTH}}}-){{{_GROUPS - 1}}}[{_LETTERS}]{{{_GROUP_LENGTH}}}")
# A random code has fewer different characters once in 10^9 times, a code like aaaaa-aaaaa-... always.
_MIN_DIFFERENT = 8


class Codes:
    """The codes of one data folder. Raises FlowshelfError if share.json exists but is invalid."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / SHARE_NAME
        self._codes = read_codes(data_dir) or {role: _new_code() for role in ROLES}
        self._write()

    def code_of(self, role: Role) -> str:
        return self._codes[role]

    def find_role(self, code: str) -> Role | None:
        """The role of a code. Compares in constant time, so that timing tells nothing about a wrong code."""
        roles = [
            role for role in ROLES if hmac.compare_digest(_normalized(self._codes[role]), _normalized(code))
        ]
        return roles[0] if roles else None

    def is_random(self, role: Role) -> bool:
        """Whether the code of a role has the form of those made here; share.json may have been edited."""
        return is_random(self._codes[role])

    def renew(self, role: Role) -> None:
        self._codes = self._codes | {role: _new_code()}
        self._write()

    def _write(self) -> None:
        content = json.dumps({str(role): code for role, code in self._codes.items()})
        replace_file(self._path, f"{content}\n".encode())


def read_codes(data_dir: Path) -> dict[Role, str] | None:
    """The codes stored in a data folder; None if it was never shared."""
    path = data_dir / SHARE_NAME
    try:
        stored = json.loads(path.read_bytes())
        codes = {role: stored[role] for role in ROLES}
        normalized = {_normalized(code) for code in codes.values()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FlowshelfError(
            f"The access codes in {path} cannot be read. Delete this file: Flowshelf then makes new links, "
            "and the old ones stop working."
        ) from error
    if len(normalized) < len(ROLES) or min(map(len, normalized)) < MIN_CODE_LENGTH:
        raise FlowshelfError(
            f"The access codes in {path} are too short, or both are the same. Delete this file: Flowshelf "
            "then makes new links, and the old ones stop working."
        )
    return codes


def is_random(code: str) -> bool:
    """Whether a code looks like one of `_new_code`, which cannot be guessed."""
    return bool(_RANDOM.fullmatch(code)) and len(set(code)) > _MIN_DIFFERENT  # the hyphen is one of them


def _new_code() -> str:
    """25 random characters, 123 bits: impossible to guess."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))


def _normalized(code: str) -> bytes:
    """A code as it is compared: capitals, spaces and hyphens do not matter."""
    return "".join(letter for letter in code.lower() if letter.isalnum()).encode(errors="replace")
