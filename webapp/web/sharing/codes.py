"""The owner's and the guest's code: made once, kept in the data folder as share.json, for its owner only."""

import hmac
import json
import secrets
from pathlib import Path

from webapp.database.states import Role
from webapp.errors import FlowshelfError
from webapp.storage import replace_file

SHARE_NAME = "share.json"
ROLES = (Role.OWNER, Role.GUEST)
# Without letters and digits that look alike: a code may be read from one screen and typed on another.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 5, 5
SHORTEST_CODE = 16


class Codes:
    """The codes of one data folder. Raises FlowshelfError when share.json is there and makes no sense."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / SHARE_NAME
        self._codes = read_codes(data_dir) or {role: _new_code() for role in ROLES}
        self._write()

    def code_of(self, role: Role) -> str:
        return self._codes[role]

    def role_of(self, code: str) -> Role | None:
        """Whose code that is. Takes the same time whatever is wrong with it."""
        found = [role for role in ROLES if hmac.compare_digest(_plain(self._codes[role]), _plain(code))]
        return found[0] if found else None

    def renew(self, role: Role) -> None:
        self._codes = self._codes | {role: _new_code()}
        self._write()

    def _write(self) -> None:
        content = json.dumps({str(role): code for role, code in self._codes.items()})
        replace_file(self._path, f"{content}\n".encode())


def read_codes(data_dir: Path) -> dict[Role, str] | None:
    """The codes as they lie in a data folder; None when it was never shared."""
    path = data_dir / SHARE_NAME
    try:
        written = json.loads(path.read_bytes())
        codes = {role: written[role] for role in ROLES}
        plain = {_plain(code) for code in codes.values()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FlowshelfError(
            f"{path} cannot be read as the two codes of this shelf. Delete it: new links are made then, and "
            "the old ones end."
        ) from error
    if len(plain) < len(ROLES) or min(map(len, plain)) < SHORTEST_CODE:
        raise FlowshelfError(
            f"The codes in {path} are too short or the same. Delete it: new links are made then, and the old "
            "ones end."
        )
    return codes


def _new_code() -> str:
    """25 letters, 123 bits: nobody guesses one."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))


def _plain(code: str) -> bytes:
    """A code as it is compared, however it was typed."""
    return "".join(letter for letter in code.lower() if letter.isalnum()).encode(errors="replace")
