"""ISO 8601 dates of any precision, as the sources write them: a year, a month, a day or an instant."""

from datetime import UTC, date, datetime, timedelta

from broker.core.model.identifiers import Millis

_DAY = len("2026-11-10")
# No source of this field means a day outside: beyond the calendar's own edges a program cannot even say the day back.
EARLIEST, LATEST = Millis(-4_417_977_600_000), Millis(7_258_118_400_000)  # 1830 and 2200, from their first midnight
# Dates that stand for "not known" in registers.
_PLACEHOLDER_DATES = frozenset({"1900-01-01", "1901-01-01", "1970-01-01", "9999-12-31", "9999-01-01"})


def instant_of(text: str | None) -> Millis | None:
    """Return the instant that an ISO day or instant means, a day from its midnight; None when it is neither.

    So is a day before 1830 or after 2199.
    """
    try:
        stated = datetime.fromisoformat(text) if text and len(text) >= _DAY else None
    except ValueError:
        return None
    if stated is None:
        return None
    at = Millis(round((stated if stated.tzinfo else stated.replace(tzinfo=UTC)).timestamp() * 1000))
    return at if is_plausible(at) else None


def is_plausible(at: int) -> bool:
    """Tell whether an instant is of a year that a source can mean."""
    return EARLIEST <= at < LATEST


def end_of(text: str | None) -> Millis | None:
    """Return the instant at which an ISO day is over, or an ISO instant itself; None when it is neither."""
    until = instant_of(text)
    return Millis(until + 24 * 3600 * 1000) if until is not None and len(text or "") == _DAY else until


def first_of(text: str | None) -> Millis | None:
    """Return the first instant that an ISO date of any precision may mean; None when it is none."""
    if not text:
        return None
    return instant_of(text if len(text) >= _DAY else f"{text}-01-01"[:_DAY])


def months_after(day: date, count: int) -> date:
    """Return the same day of a later month, or the last day of a shorter one."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def months_later(at: Millis, count: int) -> Millis:
    """Return the same time of day so many months later, in UTC; at most `LATEST`."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    if moment.year * 12 + moment.month + count >= 2200 * 12:
        return LATEST
    return Millis(round(datetime.combine(months_after(moment.date(), count), moment.timetz()).timestamp() * 1000))


def age_span(birth: str | None, observed: str | None) -> tuple[int, int] | None:
    """Return the least and the greatest age in whole years that two dates of any precision allow; None when unreadable."""
    if birth and observed and len(birth) == _DAY and len(observed) >= _DAY and (birth[:4] + observed[:4]).isdecimal():
        years = int(observed[:4]) - int(birth[:4]) - (observed[5:_DAY] < birth[5:])  # both to the day: no span, and quick
        return years, years
    born, seen = _span(birth), _span(observed)
    if born is None or seen is None:
        return None
    return _years(born[1], seen[0]), _years(born[0], seen[1])


def whole_birth_date(text: str | None) -> str | None:
    """Return a birth date when it is a whole day that can be somebody's; None for a part of one or a placeholder."""
    if not text or text in _PLACEHOLDER_DATES:
        return None
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else None
    except ValueError:
        return None


def days_within(text: str | None) -> tuple[str, ...]:
    """Return the days of which a birth date says a part, as `2015` and `2015-03` do; none of a whole day or a placeholder."""
    months = range(1, 13) if len(text or "") == len("2015") else ()
    named = [text or ""] if len(text or "") == len("2015-03") else [f"{text}-{month:02}" for month in months]
    if f"{text}-01-01" in _PLACEHOLDER_DATES:
        return ()
    return tuple(filter(None, (whole_birth_date(f"{one}-{day:02}") for one in named for day in range(1, 32))))


def _span(text: str | None) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """Return the first and last day that an ISO date of any precision may mean."""
    try:
        parts = [int(one) for one in (text or "")[:_DAY].split("-")]
    except ValueError:
        return None
    year, month, day = (*parts, 0, 0)[:3]
    return (year, month or 1, day or 1), (year, month or 12, day or 31)


def _years(born: tuple[int, int, int], seen: tuple[int, int, int]) -> int:
    return seen[0] - born[0] - (seen[1:] < born[1:])
