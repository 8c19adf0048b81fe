"""The chaos script, short: see `tests/chaos.py` for what goes wrong and how to run it long."""

import chaos


def test_after_every_third_answer_was_broken_and_the_program_killed_again_and_again_all_is_there(tmp_path):
    figures = []
    found = chaos.run(tmp_path, images=120, kills=3, seed=4, most_seconds=90, say=figures.append)
    assert found == [], figures
