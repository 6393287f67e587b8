"""What the stories demand and forbid holds in whatever order a day's files come in and the stages get to work."""

from datetime import date

import pytest

from broker.simulate.area import Area
from tests.simulate.rehearsal import Rehearsal, Week, write_week

ORDERS = range(12)
STORIES = 50  # each of them once


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    area = Area(seed=1, children=100, stories=STORIES, until=date(2026, 11, 22))
    return write_week(area, tmp_path_factory.mktemp("week") / "area")


@pytest.mark.search
@pytest.mark.parametrize("seed", ORDERS)
def test_the_stories_hold_in_any_order(week: Week, seed: int):
    found = Rehearsal(week, seed).run()

    assert found.is_good, [*found.missing, *found.forbidden, *found.duplicated, *found.late]
    assert found.heard == found.expected > STORIES
