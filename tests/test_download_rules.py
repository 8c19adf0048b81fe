"""What a failed download means for its image, its profile and the disk."""

import pytest

from webapp import errors
from webapp.download.rules import (
    MAX_DEFERRALS,
    MAX_FAILURES_IN_A_ROW,
    FailureCounts,
    Outcome,
    outcome_of,
    too_many_failures,
)

SERVICE_FAILURES = [errors.FlowUnavailable("no response"), errors.SlowDown("too many requests", 2.0)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.DiskFull("full"), Outcome.PAUSE_RUN),
        (errors.FolderGone("gone"), Outcome.PAUSE_RUN),
        (errors.KeyRefused("blocked"), Outcome.PAUSE_RUN),
        (errors.AccountMoved("moved"), Outcome.PAUSE_RUN),
        (errors.OtherAccount("other"), Outcome.PAUSE_RUN),
        (errors.AccountExists("exists"), Outcome.PAUSE_RUN),
        (errors.SignedOut("expired"), Outcome.WAIT_FOR_COOKIES),
        (errors.SourceClosed("new cookies"), Outcome.RELEASE),
        (errors.UnusualActivity(3600.0), Outcome.RELEASE),
        (errors.ImageRefused("refused"), Outcome.FAIL_PERMANENTLY),
        (errors.GoneUpstream("gone"), Outcome.FAIL_PERMANENTLY),
        (errors.BadPicture("truncated"), Outcome.FAIL),
        (errors.FlowChanged("unknown"), Outcome.FAIL),
        (errors.BadDatabase("damaged"), Outcome.PAUSE_RUN),
        (errors.DatabaseLocked("locked"), Outcome.RELEASE),
        (errors.FlowshelfError("unexpected"), Outcome.FAIL),
        *((error, Outcome.FAIL) for error in SERVICE_FAILURES),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_a_failure_has_one_outcome_while_the_service_works(error, outcome):
    assert outcome_of(error, deferral_count=0) is outcome


@pytest.mark.parametrize("error", SERVICE_FAILURES, ids=lambda error: type(error).__name__)
def test_an_image_is_deferred_while_the_service_is_down_and_fails_after_the_last_deferral(error):
    outcomes = [
        outcome_of(error, is_service_down=True, deferral_count=count) for count in range(MAX_DEFERRALS + 1)
    ]
    assert outcomes == [Outcome.DEFER] * MAX_DEFERRALS + [Outcome.FAIL]


def test_a_failure_of_the_image_itself_is_not_deferred_while_the_service_is_down():
    for error in (errors.GoneUpstream("gone"), errors.BadPicture("truncated"), errors.DiskFull("full")):
        down = outcome_of(error, is_service_down=True, deferral_count=0)
        assert down is outcome_of(error, deferral_count=0)


@pytest.mark.parametrize("error", [errors.DiskFull("full"), errors.GoneUpstream("gone"), *SERVICE_FAILURES])
def test_nothing_fails_when_the_connection_was_superseded(error):
    assert outcome_of(error, is_superseded=True, deferral_count=MAX_DEFERRALS) is Outcome.RELEASE


def test_the_run_pauses_after_ten_failures_without_a_success_between_them():
    counts = FailureCounts()
    assert not any(counts.note_failure() for _ in range(MAX_FAILURES_IN_A_ROW - 1))
    counts.note_success()
    results = [counts.note_failure() for _ in range(MAX_FAILURES_IN_A_ROW)]
    assert results == [False] * (MAX_FAILURES_IN_A_ROW - 1) + [True]
    assert "10 images in a row failed" in str(too_many_failures(errors.ImageRefused("Flow refuses it.")))
