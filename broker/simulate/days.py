"""By when somebody has to hear, on the area's own calendar: the working days and school terms that its registers hold too.

Nothing of the broker's clocks is asked: the truth may not be tested by its own mirror.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(8, 45), time(17)
_LOCAL = ZoneInfo("Europe/London")
_SPAN = re.compile(r"([1-9]\d*)_(second|hour|working_day)s?|day_([0-7])|same_day|next_school_day")
_HORIZON = 400


def is_deadline(by: str) -> bool:
    """Tell whether a story may say this: `N_seconds`, `N_hours`, `same_day`, `next_school_day`, `N_working_days`, `day_N`."""
    return _SPAN.fullmatch(by) is not None


def in_seconds(by: str) -> timedelta | None:
    """Return a deadline that is told in seconds; None for every other."""
    return timedelta(seconds=int(by.partition("_")[0])) if re.fullmatch(r"\d+_seconds?", by) else None


def due(by: str, at: datetime, until: date) -> datetime:
    """Return the instant by which somebody has to hear what happened at `at`, in an area whose week ends on `until`.

    `day_N` is the end of that day of the week, for what can be told only once something else has come. `by` is a deadline.
    """
    local = at.astimezone(_LOCAL)
    kind = _SPAN.fullmatch(by)
    assert kind is not None, f"`{by}` is no deadline"
    if kind[3] is not None:
        return end_of(until - timedelta(days=7 - int(kind[3])))
    if by == "same_day":
        return end_of(local.date())
    if by == "next_school_day":
        mornings = (datetime.combine(day, OPENS, _LOCAL) for day in _from(local.date()) if _is_taught(day, until))
        return next(morning for morning in mornings if morning > local)
    count = int(kind[1])
    if kind[2] == "working_day":
        working = [day for day in _from(local.date() + timedelta(days=1)) if _is_worked(day, until)]
        return datetime.combine(working[count - 1], CLOSES, _LOCAL)
    return at + (timedelta(seconds=count) if kind[2] == "second" else timedelta(hours=count))


def end_of(day: date) -> datetime:
    """Return the last minute of a day of the area."""
    return datetime.combine(day, time(23, 59), _LOCAL).astimezone(UTC)


def days_off(until: date) -> list[str]:
    """Return the days on which nobody works, beside weekends."""
    return [f"{until.year}-12-25", f"{until.year}-12-26", f"{until.year + 1}-01-01"]


def terms(until: date) -> list[list[str]]:
    """Return the terms of this school year and the next, each cut by its half-term week."""
    found: list[list[str]] = []
    for year in (until.year - 1, until.year, until.year + 1):
        for first, weeks in ((date(year, 1, 5), 11), (date(year, 4, 20), 13), (date(year, 9, 3), 15)):
            half = first + timedelta(weeks=weeks // 2)
            found.append([first.isoformat(), (half - timedelta(days=1)).isoformat()])
            found.append([(half + timedelta(days=7)).isoformat(), (first + timedelta(weeks=weeks)).isoformat()])
    return found


def _from(day: date) -> Iterator[date]:
    return (day + timedelta(days=ahead) for ahead in range(_HORIZON))


def _is_worked(day: date, until: date) -> bool:
    return day.weekday() < 5 and day.isoformat() not in days_off(until)


def _is_taught(day: date, until: date) -> bool:
    return _is_worked(day, until) and any(first <= day.isoformat() <= last for first, last in terms(until))
