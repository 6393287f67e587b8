"""Statutory clocks: when each falls due on whose calendar, and the life of an open clock as a value.

Every instant is an argument. A due instant depends on the clock's name, the start and two calendars (the area's working
days, the organisation's school days), never on a worker's own time zone. Bells are records: see `broker.stream.decide.stage`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from broker.core.model.dates import months_after
from broker.core.model.identifiers import AgencyId, DisclosureId, EventId, Millis, RecipientId, RoleName, digest
from broker.core.model.policy import ClockKind
from broker.core.model.registers import Calendar, Registers
from broker.errors import PolicyError

CLOSE_OF_BUSINESS = time(17)  # a working day counts until the office closes: earlier than the law's midnight, never later
_HORIZON = 400  # days looked ahead for a school day before the terms count as unknown
_COUNTED = re.compile(r"([1-9]\d{0,2})_(hours?|working_days?|months?)")
_SPAN = re.compile(r"([1-9]\d{0,2})_(minute|hour)s?")
WARNED, DUE, ESCALATED = "warned", "due", "escalated"  # the stages of a clock, each with a bell of its own
QUESTION = "q-"  # begins the id of a clock that runs while a person is asked
_STEPS = ("sent", "delivered", "read", "acted", "outcome")  # how far a recipient is, in order
_MS = 1000


@dataclass(frozen=True, slots=True)
class Calendars:
    """Whose days count: the area's for working days, the organisation's (or else the area's) for school days."""

    area: Calendar
    school: Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """An open clock: one recipient must send a certain receipt for one disclosure by `due_at`.

    `stops_on` is the receipt that stops it; a later one does too. `correction` marks a clock on "stop using this".
    `stage`: whether `due_at` is when its recipient is warned, when it falls due, or when the next role hears after the hub.
    """

    clock_id: str
    name: str
    event_id: EventId
    event_type: str
    disclosure_id: DisclosureId
    recipient: RecipientId
    role: RoleName
    started_at: Millis
    due_at: Millis
    stops_on: str = "read"
    correction: bool = False
    stage: str = DUE


def clock_id(disclosure_id: DisclosureId, name: str, stage: str = DUE) -> str:
    """Derive the id of a clock's bell from what it watches: started twice, it is still one."""
    own = "" if stage == DUE else f"\x1f{stage}"
    return digest(f"clock\x1f{disclosure_id}\x1f{name}{own}".encode())[:32]


def question_clock_id(review_id: str, name: str, stage: str = DUE) -> str:
    """Derive the id of the bell of a question; it shows what it is of, for a question that was answered is kept nowhere."""
    return QUESTION + clock_id(DisclosureId(review_id), name, stage)


def span_of(text: str | None) -> int | None:
    """Return a length of time, `N_minutes` or `N_hours`, in milliseconds; None when the text is none."""
    counted = _SPAN.fullmatch(text or "")
    return int(counted[1]) * {"minute": 60, "hour": 3600}[counted[2]] * _MS if counted else None


def stages(kind: ClockKind | None, at: Millis, due: Millis) -> dict[str, Millis]:
    """Return when each bell of a clock rings; a warning that would have to come before its alert is left out."""
    warned, later = span_of(kind.warn_before if kind else None), span_of(kind.next_after if kind else None)
    found = {DUE: due}
    if warned is not None and due - warned > at:
        found[WARNED] = Millis(due - warned)
    if later is not None:
        found[ESCALATED] = Millis(due + later)
    return found


def calendars(registers: Registers, organisation: str | None, area: str | None) -> Calendars:
    """Choose the calendars that count for an organisation in an area; one that the registers lack has weekdays only."""
    of_area = registers.calendars.get(area or "") or Calendar(of=area or "")
    return Calendars(of_area, registers.calendars.get(organisation or "") or of_area)


def due_for(name: str, at: Millis, whose: str, registers: Registers) -> Millis:
    """Return when a clock that starts at `at` falls due on the calendars of a recipient, or of an agency."""
    recipient = registers.recipients.get(RecipientId(whose))
    agency = registers.agencies.get(AgencyId(whose))
    own = next((one for one in sorted(recipient.serves) if one in registers.calendars), None) if recipient else None
    area = recipient.area if recipient else agency.area if agency else None
    return due_at(name, at, calendars(registers, own, area))


def is_clock(name: str) -> bool:
    """Tell whether a policy may name this clock."""
    return name in _NAMED or _COUNTED.fullmatch(name) is not None


def due_at(name: str, at: Millis, days: Calendars) -> Millis:
    """Return the instant by which a clock that starts at `at` must have been stopped; raises PolicyError on an unknown name.

    Known are `N_hours`, `same_day`, `next_school_day`, `N_working_days` and `N_months`.
    """
    named = _NAMED.get(name)
    if named is not None:
        return named(at, days)
    counted = _COUNTED.fullmatch(name)
    if counted is None:
        raise PolicyError(f"unknown clock `{name}`: use N_hours, same_day, next_school_day, N_working_days or N_months")
    count, unit = int(counted[1]), counted[2].rstrip("s")
    if unit == "hour":
        return Millis(at + count * 3600 * _MS)
    return _working_days(at, days, count) if unit == "working_day" else _months(at, days, count)


def still_open(clocks: Sequence[Clock], disclosure_id: DisclosureId, state: str) -> tuple[Clock, ...]:
    """Return the clocks that a receipt leaves running."""
    reached = _STEPS.index(state)
    return tuple(one for one in clocks if one.disclosure_id != disclosure_id or _STEPS.index(one.stops_on) > reached)


def is_working_day(day: date, calendar: Calendar) -> bool:
    """Tell whether an area works on a day: no weekend, no day off."""
    return day.weekday() < 5 and day.isoformat() not in calendar.closed


def is_school_day(day: date, calendar: Calendar) -> bool:
    """Tell whether a school teaches on a day: a working day inside a term, where its terms are known."""
    if not is_working_day(day, calendar):
        return False
    text = day.isoformat()
    return not calendar.terms or any(first <= text <= last for first, last in calendar.terms)


def _same_day(at: Millis, days: Calendars) -> Millis:
    """Until midnight where the area is."""
    zone = _zone(days.area)
    return _instant(_local(at, zone).date() + timedelta(days=1), time(0), zone)


def _next_school_day(at: Millis, days: Calendars) -> Millis:
    """Until that school's next day begins. Where no later term is known its next weekday counts: early, never late."""
    today = _local(at, _zone(days.school)).date()
    for day in (today, today + timedelta(days=1)):
        opening = _opening(days.school, day)
        if opening is not None and opening > at:
            return opening
    return Millis(at + 24 * 3600 * _MS)  # a calendar without any day: ring tomorrow rather than never


@lru_cache(maxsize=4096)  # the same for every child of the school until the day is over
def _opening(school: Calendar, first: date) -> Millis | None:
    """Return when a school's first day from this one on begins."""
    days = [first + timedelta(days=ahead) for ahead in range(_HORIZON)]
    found = next((day for teaches in (is_school_day, is_working_day) for day in days if teaches(day, school)), None)
    return None if found is None else _instant(found, time.fromisoformat(school.day_start), _zone(school))


def _working_days(at: Millis, days: Calendars, count: int) -> Millis:
    """Until the office closes on the n-th working day after the day of `at`."""
    zone = _zone(days.area)
    day = _local(at, zone).date()
    for _ in range(_HORIZON * 3):
        day += timedelta(days=1)
        count -= is_working_day(day, days.area)
        if not count:
            break
    return _instant(day, CLOSE_OF_BUSINESS, zone)


def _months(at: Millis, days: Calendars, count: int) -> Millis:
    """Until the same local time that many months later, or the last day of a shorter month."""
    zone = _zone(days.area)
    local = _local(at, zone)
    return _instant(months_after(local.date(), count), local.time(), zone)


_NAMED: dict[str, Callable[[Millis, Calendars], Millis]] = {"same_day": _same_day, "next_school_day": _next_school_day}


@lru_cache(maxsize=64)
def _named_zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _zone(calendar: Calendar) -> ZoneInfo:
    return _named_zone(calendar.time_zone)


def _local(at: Millis, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / _MS, UTC).astimezone(zone)


def _instant(day: date, clock: time, zone: ZoneInfo) -> Millis:
    """Return a local time as an instant; of an hour that happens twice the first, which is the earlier warning."""
    return Millis(round(datetime.combine(day, clock.replace(fold=0), zone).timestamp() * _MS))
