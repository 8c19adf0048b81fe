"""What carries the requests of the source: cookies (`cookie_transport`) or a paired browser
(`companion_transport`). All other modules of this package do not know which."""

from typing import Protocol

from webapp.errors import SignedOut
from webapp.sources.flow_google.start_page import StartPage
from webapp.sources.http import Response


class Transport(Protocol):
    """Carries requests for start pages and calls. Thread-safe.

    Raises FlowUnavailable, SourceClosed, SignedOut, TooLarge. Any other response is returned, whatever its
    status. `sign_in_may_return`: one that has ended may be back at any moment, without anything being stored.
    """

    sign_in_may_return: bool

    def start_page(self, index: int | None) -> StartPage:
        """Fetch the start page below `/u/<index>/`; None is the first account, without a number.

        Raises FlowChanged if the page lacks a value that calls need.
        """

    def call(
        self,
        page: StartPage,
        rpc: str,
        arguments: list[object],
        max_bytes: int,
        *,
        is_anonymous: bool = False,
    ) -> Response:
        """Make one call with the values of a start page. `is_anonymous`: without its token, so that the call
        is refused, and the refusal names the account."""

    def refresh(self) -> None:
        """Called before a start page is fetched, where the sign-in is read from a browser."""

    def generation(self) -> int:
        """A number that grows when the sign-in was replaced. A start page from before is no longer used."""

    def secrets(self) -> list[str]:
        """Values that no sample of a response may show."""

    def signed_out(self, error: SignedOut) -> SignedOut:
        """The error for a person whose sign-in has ended: it says what helps with this transport."""
