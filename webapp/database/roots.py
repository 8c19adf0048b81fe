"""The storage roots of the open database: they turn a stored path into a file.

Like the connection, they belong to the one database that this process has open.
"""

from pathlib import Path

from webapp.storage.roots import Roots

_current = Roots({None: Path()})


def set_roots(roots: Roots) -> None:
    """Use these roots from now on, in all threads."""
    global _current  # noqa: PLW0603 - one database per process, one set of roots
    _current = roots


def current_roots() -> Roots:
    return _current
