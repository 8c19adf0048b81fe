"""Shared by the tests of all sources: stored secrets, a clock, and errors that quote no secret."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from webapp.errors import FlowError
from webapp.sources import Account, HistoryPage, Source


@dataclass
class Kept:
    """Credentials of a profile, stored in memory in place of a database."""

    kept: dict[str, str]
    kept_key: str | None = None
    expire_at: str | None = None
    browser: str | None = None
    index: int | None = None
    account: Account | None = None
    is_live: bool = False

    def refresh(self) -> None:
        """Nothing changes these but the tests themselves."""

    def cookies(self) -> dict[str, str]:
        return dict(self.kept)

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None) -> None:
        if self.kept == sent:
            self.kept, self.expire_at = renewed, expire_at or self.expire_at

    def user_agent(self) -> str | None:
        return self.browser

    def account_index(self) -> int | None:
        return self.index

    def set_account_index(self, index: int) -> None:
        self.index = index

    def expected_account(self) -> Account | None:
        return self.account

    def key(self) -> str | None:
        return self.kept_key

    def set_key(self, key: str) -> None:
        self.kept_key = key


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def caught(kind: type[FlowError], secrets: Iterable[str], call: Callable, *arguments: object) -> FlowError:
    """The error that a call raises: exactly of this class, and without any of these secrets."""
    with pytest.raises(kind) as raised:
        call(*arguments)
    error = raised.value
    shown = f"{error!r} {error} {getattr(error, 'sample', '')} {error.__cause__!r}"
    assert type(error) is kind
    assert not [secret for secret in (*secrets, "Signature=", "@") if secret in shown]
    assert str(error).endswith("."), "the text of an error is a sentence"
    return error


def walk(source: Source, history: str, cursor: str | None = None) -> list[HistoryPage]:
    """Every page of a history, from a cursor on."""
    pages = [source.history_page(history, cursor)]
    while pages[-1].next_cursor:
        pages.append(source.history_page(history, pages[-1].next_cursor))
    return pages
