"""The Kafka headers of an event: CloudEvents 1.0, Kafka protocol binding, binary mode."""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache

from broker.core.model.event import Header
from broker.core.model.ports import Headers, Record
from broker.errors import HeadersError

CONTENT_TYPE = "application/avro"
SPEC_VERSION = "1.0"
_ID = re.compile(r"[!-~]{1,200}")
_EPOCH = date(1970, 1, 1)


def is_plain(text: str) -> bool:
    """Tell whether a name is short and of plain signs: it can stand in headers, reasons and on a person's screen."""
    return _ID.fullmatch(text) is not None


def headers_of(header: Header) -> Headers:
    """Return the headers that an event travels with."""
    return tuple((name, value.encode()) for name, value in _words(header).items())


def check_headers(record: Record, header: Header) -> None:
    """Check that a record's headers say what the event says; raises HeadersError, naming the first that does not."""
    said = dict(record.headers)  # of several by one name the last counts, as `Record.header` has it
    for name, value in _words(header).items():
        found = said.get(name)
        if found is None:
            raise HeadersError(f"header `{name}` is missing")
        if found != value.encode() and not (name == "ce_time" and _same_instant(found, value)):
            raise HeadersError(f"header `{name}` does not say what the event says")


def _words(header: Header) -> dict[str, str]:
    return {
        "ce_specversion": SPEC_VERSION,
        "ce_id": header.event_id,
        "ce_source": header.producer,
        "ce_type": header.event_type,
        "ce_time": _rfc3339(header.recorded_at),
        "content-type": CONTENT_TYPE,
    }


def _rfc3339(millis: int) -> str:
    seconds, part = divmod(millis, 1000)
    day, seconds = divmod(seconds, 86_400)
    minutes, second = divmod(seconds, 60)
    return f"{_day(day)}T{minutes // 60:02}:{minutes % 60:02}:{second:02}.{part:03}Z"


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    """Return a day by its number since 1970; events come of the same few."""
    try:
        return (_EPOCH + timedelta(days=number)).isoformat()
    except OverflowError:
        raise HeadersError("field `recorded_at` is no instant of this calendar") from None


def _same_instant(found: bytes, expected: str) -> bool:
    try:
        return datetime.fromisoformat(found.decode()) == datetime.fromisoformat(expected)
    except (ValueError, TypeError):
        return False
