"""Results that are used again by the same thread until somebody writes to the database.

A request asks several times for the same text: for its page, for its counts, and for what matched nothing.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from webapp.database.base import db

ValueT = TypeVar("ValueT")

_MAX_RESULTS = 32
_thread = threading.local()


def reused(key: Hashable, find: Callable[[], ValueT]) -> ValueT:
    """The result of `find`, which depends on nothing but `key` and the database."""
    connection = db.connection()
    state = (connection.total_changes, db.pragma("data_version"))
    if getattr(_thread, "connection", None) is not connection or _thread.state != state:
        _thread.connection, _thread.state, _thread.results = connection, state, {}
    results: dict[Hashable, Any] = _thread.results
    if key not in results:
        if len(results) >= _MAX_RESULTS:
            results.clear()
        results[key] = find()
    found: ValueT = results[key]
    return found
