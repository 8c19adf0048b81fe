"""The chaos script, short: see `tests/chaos.py` for what goes wrong and how to run it long."""

import chaos
import pytest


@pytest.mark.proof
@pytest.mark.parametrize(("service", "images", "kills"), [("labs", 70, 2), ("google", 40, 1)])
def test_after_every_third_answer_was_broken_and_the_program_killed_again_and_again_all_is_there(
    tmp_path, service, images, kills
):
    figures = []
    asked = {"images": images, "kills": kills, "service": service}
    found = chaos.run(tmp_path, **asked, seed=4, max_seconds=90, say=figures.append)
    assert found == [], figures
