"""Say how things stand in plain words for tired people: first what is at risk, then what to do."""

from collections.abc import Iterable
from itertools import groupby

from broker.lag.evaluation import Status
from broker.lag.open_work import Undelivered
from broker.lag.report import PartitionLag, Report

_BARS = "▁▂▃▄▅▆▇█"
_SECTOR_WORDS = {"councils": "council", "schools": "school"}
_FEED_WORDS = {"subjects.v1": "children's lines", "candidates.v1": "events to be matched", "receipts.v1": "receipts"}

# What each status is called, and what a person can do about it.
STATUS_WORDS = {
    Status.OK: ("ok", ""),
    Status.SILENT: ("silent", "ask the agency whether its connector runs"),
    Status.WARN: ("slow", "start another worker: `broker run`"),
    Status.REWIND: ("went back", "somebody reset the group's position: find out who; repeats are recognised"),
    Status.STALL: ("stuck", "look at the worker's log, then restart it: nothing is lost"),
    Status.STOP: ("stopped", "start a worker: `broker run`"),
    Status.LOST: ("records deleted unread", "ask the agencies to publish again; raise the topic's retention"),
}
MENTION_SECONDS = 5.0  # less than this behind is nothing to speak of


def duration(seconds: float) -> str:
    """Say a length of time as a person would: `0 s`, `14 minutes`, `2.5 hours`, `3 days`."""
    for limit, unit, name in ((120, 1, "s"), (7_200, 60, "minutes"), (172_800, 3_600, "hours")):
        if seconds < limit:
            amount = seconds / unit
            return f"{amount:.1f} {name}" if unit == 3_600 and amount < 10 else f"{amount:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"


def feed(topic: str) -> str:
    """Name a topic for a person: `events.police.v1` is `police events`."""
    if topic.startswith("events."):
        sector = topic.split(".")[1]
        return f"{_SECTOR_WORDS.get(sector, sector)} events"
    return _FEED_WORDS.get(topic, topic)


def spark(values: Iterable[int]) -> str:
    """Draw a row of small bars, the highest value full."""
    numbers = tuple(values)
    top = max(numbers, default=0)
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] if top else _BARS[0] for value in numbers)


def sentences(report: Report) -> tuple[str, ...]:
    """Say how things stand: one sentence for each thing that matters, the gravest first; one sentence when all is well."""
    found = [*clocks(report.undelivered), *_unaccounted(report), *_lags(report), *_silences(report), *_people(report)]
    return tuple(found) or ("everything is up to date",)


def headline(report: Report) -> str:
    """Say in one line how far behind events are and what that puts at risk."""
    behind = _behind(report)
    return "; ".join([behind or "events are up to date", *clocks(report.undelivered)])


def _behind(report: Report) -> str | None:
    late = max(report.partitions, key=lambda one: one.seconds, default=None)
    if late is None or late.seconds < MENTION_SECONDS:
        return None
    return f"{feed(late.topic)} are {duration(late.seconds)} behind"


def clocks(undelivered: Iterable[Undelivered]) -> list[str]:
    """Say how many alerts were not, and may not be, received in time; nothing when none is at risk."""
    waiting = tuple(undelivered)
    past, risk = sum(one.past_due for one in waiting), sum(one.at_risk for one in waiting)
    found = []
    if past:
        found.append(f"{_count(past, 'alert')} not received by the time {_it(past)} had to be")
    if risk:
        found.append(f"{_count(risk, 'alert')} may not be received by the time {_it(risk)} must be")
    return found


def _unaccounted(report: Report) -> list[str]:
    return [
        f"{_count(number, 'record')} of the {feed(topic)} {'is' if number == 1 else 'are'} not accounted for; "
        "`broker reconcile` names them: keep the log and report it as a fault"
        for topic, number in report.unaccounted.items()
    ]


def _lags(report: Report) -> list[str]:
    found = []
    for (stage, topic), group in groupby(report.partitions, key=lambda one: (one.stage, one.topic)):
        lags = tuple(group)
        worst = max(lags, key=lambda one: (one.status.rank, one.seconds))
        if worst.status is not Status.OK or worst.seconds >= MENTION_SECONDS:
            found.append((worst.status.rank, worst.seconds, _lag_sentence(stage, topic, lags, worst)))
    return [sentence for _, _, sentence in sorted(found, reverse=True)]


def _lag_sentence(stage: str, topic: str, lags: tuple[PartitionLag, ...], worst: PartitionLag) -> str:
    seconds = max(one.seconds for one in lags)
    waiting = sum(one.lag for one in lags)
    parts = [f"{feed(topic)} are {duration(seconds)} behind at `{stage}` ({_count(waiting, 'record')} waiting)"]
    if worst.status is not Status.OK:
        name, remedy = STATUS_WORDS[worst.status]
        parts.append(f"{name}: {worst.reason}")
        parts.append(remedy)
    headroom = min((one.headroom_hours for one in lags if one.headroom_hours is not None), default=None)
    if headroom is not None and headroom < 24:
        parts.append(f"Kafka deletes the first of them in {duration(max(0.0, headroom) * 3600)}")
    return "; ".join(parts)


def _silences(report: Report) -> list[str]:
    return [
        f"no {feed(one.topic)} for {duration(one.seconds)} (usually at most {duration(one.usual_seconds)} apart); "
        f"{STATUS_WORDS[Status.SILENT][1]}"
        for one in report.silent
    ]


def _people(report: Report) -> list[str]:
    found = []
    open_reviews = sum(report.reviews.values())
    if open_reviews:
        oldest = duration(report.oldest_review_seconds)
        late = f", {report.reviews_past_due:,} past the clock" if report.reviews_past_due else ""
        found.append(f"{_count(open_reviews, 'review')} for people, the oldest {oldest} old{late}; see `broker reviews list`")
    if report.dead_letters:
        oldest = duration(report.oldest_dead_letter_seconds)
        found.append(f"{_count(report.dead_letters, 'dead letter')}, the oldest {oldest} old; see `broker dead-letters list`")
    return found


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _it(number: int) -> str:
    return "it" if number == 1 else "they"
