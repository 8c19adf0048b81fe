"""A short run of the chaos script: see `tests/chaos.py` for the faults and for longer runs."""

import chaos
import pytest


@pytest.mark.proof
@pytest.mark.parametrize(("service", "images", "kills"), [("labs", 70, 2), ("google", 40, 1)])
def test_everything_is_there_although_every_third_response_is_broken_and_the_program_is_killed(
    tmp_path, service, images, kills
):
    figures = []
    asked = {"images": images, "kills": kills, "service": service}
    found = chaos.run(tmp_path, **asked, seed=4, max_seconds=90, say=figures.append)
    assert found == [], figures
