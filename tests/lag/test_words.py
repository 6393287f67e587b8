"""Words, bars and the report that they are made from."""

import json

from hypothesis import given
from hypothesis import strategies as st

from broker.lag.evaluation import Reading, Status
from broker.lag.measures import HOUR_MS
from broker.lag.open_work import AT_RISK_MS, Alert, OpenWork, Undelivered
from broker.lag.report import Observation, Report, SilentFeed, partition_lag
from broker.lag.words import STATUS_WORDS, duration, feed, headline, sentences, spark

NOW = 10 * HOUR_MS


def a_lag(*, minutes: int = 0, alive: bool = True, stage: str = "intake", topic: str = "events.police.v1", begin: int = 0):
    waiting = 100 if minutes else 0
    window = (Reading(NOW - 20_000, 100, 100 + 2 * waiting), Reading(NOW, 240, 240 + waiting))
    return partition_lag(
        Observation(
            stage=stage,
            topic=topic,
            partition=0,
            window=window,
            begin=begin,
            waiting_since=NOW - minutes * 60_000 if minutes else None,
            retention_ms=48 * HOUR_MS,
            alive=alive,
        )
    )


def a_report(*lags, **rest) -> Report:
    return Report(at=NOW, group="g", members=1, partitions=lags, **rest)


def an_undelivered(**changes) -> Undelivered:
    plain = {"recipient": "urn:100001/dsl", "count": 3, "oldest_seconds": 60.0, "at_risk": 0, "past_due": 0, "next_due_at": None}
    return Undelivered(**{**plain, **changes})


def test_lag_is_told_as_clock_risk() -> None:
    report = a_report(a_lag(minutes=14), undelivered=(an_undelivered(at_risk=3),))

    assert headline(report) == "police events are 14 minutes behind; 3 alerts may not be received by the time they must be"


def test_all_well_is_one_sentence() -> None:
    assert sentences(a_report(a_lag())) == ("everything is up to date",)
    assert headline(a_report(a_lag())) == "events are up to date"


def test_a_stopped_stage_says_what_to_do() -> None:
    (sentence,) = sentences(a_report(a_lag(minutes=14, alive=False)))

    assert "police events are 14 minutes behind at `intake` (100 records waiting)" in sentence
    assert "stopped: no worker reads it; start a worker: `broker run`" in sentence


def test_the_gravest_comes_first() -> None:
    report = a_report(
        a_lag(minutes=1, stage="decide", topic="subjects.v1"),
        a_lag(minutes=3, alive=False),
        undelivered=(an_undelivered(past_due=1),),
        reviews={"UNIDENTIFIED": 2},
        oldest_review_seconds=7_200,
        reviews_past_due=1,
        dead_letters=1,
        oldest_dead_letter_seconds=30,
    )
    told = sentences(report)

    assert [sentence.split()[0] for sentence in told] == ["1", "police", "children's", "2", "1"]
    assert told[0] == "1 alert not received by the time it had to be"
    assert told[3].startswith("2 reviews for people, the oldest 2.0 hours old, 1 past the clock")


def test_a_silent_feed_is_not_a_healthy_one() -> None:
    report = a_report(a_lag(), silent=(SilentFeed(topic="events.health.v1", seconds=7_300, usual_seconds=600),))

    assert report.status is Status.SILENT
    assert sentences(report)[0].startswith("no health events for 2.0 hours (usually at most 10 minutes apart)")


def test_a_report_is_json_and_holds_the_window_for_the_bars() -> None:
    told = json.loads(json.dumps(a_report(a_lag(minutes=2)).as_json()))

    assert told["partitions"][0]["history"] == [200, 100]
    assert told["partitions"][0]["headroom_hours"] == 48 - 2 / 60
    assert told["partitions"][0]["drain_seconds"] == 100 / (7 - 2)


def test_durations_and_feeds_are_as_a_person_says_them() -> None:
    assert [duration(seconds) for seconds in (0, 14, 840, 9_000, 90_000, 400_000)] == [
        "0 s",
        "14 s",
        "14 minutes",
        "2.5 hours",
        "25 hours",
        "5 days",
    ]
    assert (feed("events.schools.v1"), feed("subjects.v1"), feed("x.v1")) == ("school events", "children's lines", "x.v1")


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_a_spark_line_has_one_bar_for_each_value_and_the_highest_is_full(values: list[int]) -> None:
    drawn = spark(values)

    assert len(drawn) == len(values)
    assert ("█" in drawn) == any(values)


def test_every_status_has_its_words() -> None:
    assert set(STATUS_WORDS) == set(Status)


def test_an_alert_counts_until_it_is_received_whatever_the_order() -> None:
    work = OpenWork()
    work.received("d1")
    for name, due in (("d1", None), ("d2", NOW + 1), ("d3", NOW - 1), ("d3", NOW - 1), ("d4", NOW + AT_RISK_MS + 1)):
        work.disclosed(name, Alert("gp", NOW - 60_000, due))

    (one,) = work.undelivered(NOW)

    assert (one.recipient, one.count, one.at_risk, one.past_due, one.oldest_seconds) == ("gp", 3, 1, 1, 60.0)


def test_who_may_hear_too_late_is_named_first_and_not_who_waits_longest() -> None:
    """The list is cut at its end: at three in the morning somebody is called by its beginning."""
    work = OpenWork()
    for name, recipient, age, due in (
        ("d1", "patient", 9_000, None),
        ("d2", "at-risk", 2_000, NOW + 1),
        ("d3", "too-late", 1_000, NOW - 1),
    ):
        work.disclosed(name, Alert(recipient, NOW - age, due))

    assert [one.recipient for one in work.undelivered(NOW)] == ["too-late", "at-risk", "patient"]


def test_reviews_and_dead_letters_are_counted_with_their_age() -> None:
    work = OpenWork()
    work.review_closed("r0")
    for review in ("r0", "r1", "r2"):
        work.review_opened(review, "ASK", NOW - 5_000, NOW - 1)
    work.review_closed("r2")
    work.dead_lettered("events.police.v1/0@7", NOW - 9_000)
    work.dead_lettered("events.police.v1/0@7", NOW - 4_000)

    assert (work.reviews_by_kind(), work.reviews_past_due(NOW), work.reviews_past_due(NOW - 2)) == ({"ASK": 1}, 1, 0)
    assert (work.oldest_review_seconds(NOW), work.oldest_dead_letter_seconds(NOW)) == (5.0, 4.0)
