"""The header of a children in need return: which council, which year, which day, and whether it follows the last one."""

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from broker.core.intake.delivery import Delivery, Finding
from broker.core.model.identifiers import Millis
from broker.errors import DeliveryError
from connectors.councils.cin_parts import iso_date, part_of
from connectors.councils.snapshots import Snapshot

_YEAR = re.compile(r"20\d\d\Z")
_FIRST_YEAR = 2017  # of the returns that are read; the last is that of the year after the one in which they are received
_LEA = re.compile(r"\d{3}\Z")


class Return(NamedTuple):
    """What the header of a return says; `taken` is the day of the snapshot."""

    year: int
    council: str
    software: str
    taken: str
    recorded_at: Millis


def read_header(element: Any, delivery: Delivery) -> tuple[Return, list[Finding]]:
    """Read what the file says of itself; raises DeliveryError when it does not say its collection year."""
    collection, source = _header_parts(element)
    if collection.get("Collection", "CIN") != "CIN":
        raise DeliveryError("file is another return than the children in need census: put it in its own inbox")
    reference = iso_date(collection.get("ReferenceDate", "")) or ""
    year = collection.get("Year", "") or reference[:4]
    if not _YEAR.match(year):
        raise DeliveryError("file does not say its collection year, so it cannot be compared: export it with its header")
    latest = int(day_of(delivery.received_at)[:4]) + 1
    if not _FIRST_YEAR <= int(year) <= latest:
        raise DeliveryError(
            f"file says the collection year {year}, which is none of {_FIRST_YEAR} to {latest}: correct its header"
        )
    findings = []
    if reference and reference[:4] != year:
        findings.append(_header_finding("year-reference-date", "ReferenceDate", "the reference date is not in the year"))
    if not _LEA.match(source.get("LEA", "")):
        findings.append(_header_finding("council-missing", "LEA", "no three-digit number of the council"))
    written = _instant(source.get("DateTime", ""))
    if written is None:
        findings.append(_header_finding("written-missing", "DateTime", "no readable time of export: taken as received"))
    recorded_at = delivery.received_at if written is None else Millis(min(written, delivery.received_at))
    council = source["LEA"] if _LEA.match(source.get("LEA", "")) else ""
    return Return(int(year), council, source.get("SoftwareCode", "")[:100], day_of(recorded_at), recorded_at), findings


def _header_parts(element: Any) -> tuple[dict[str, str], dict[str, str]]:
    parts: dict[str, dict[str, str]] = {"CollectionDetails": {}, "Source": {}}
    for part in element if element is not None else ():
        if part.tag in parts:
            parts[part.tag] = part_of(part).values
    return parts["CollectionDetails"], parts["Source"]


def _header_finding(rule: str, name: str, message: str) -> Finding:
    return Finding("warning", rule, f"Header: {name}", message, "correct the settings of the export")


def check_follows(header: Return, snapshot: Snapshot) -> None:
    """Raise DeliveryError when a return is of another council than the last one accepted, or older."""
    last = snapshot.last
    if last is None:
        return
    remedy = "if that one was wrong, see `broker connect cin-census --forget-last`"
    if last["council"] and header.council and last["council"] != header.council:
        accepted = f"council {header.council}, this inbox has been of {last['council']}"
        raise DeliveryError(f"file is of {accepted}: put it in its own; {remedy}")
    if header.year < last["year"] or header.recorded_at < int(last["recorded_at"]):
        accepted = f"{last['year']} as of {last['taken']}"
        raise DeliveryError(f"file is older than the last return accepted, {accepted}: deliver the newest export; {remedy}")


def in_words(last: dict[str, Any]) -> str:
    """Say which return was accepted last, and what it means to forget it."""
    before = last.get("before")
    then = (
        f"the next file is compared with the return before it ({_of(before)}) and not with it"
        if before
        else "the next file is taken as the first of its council, whatever its number: what is new in it alerts nobody"
    )
    return (
        f"the last return accepted is {_of(last)}. When it is forgotten, {then}. What it told stands until then: what the next "
        "file does not hold is taken back, after a person's word where that is much."
    )


def _of(last: dict[str, Any]) -> str:
    council = f"of council {last['council']}" if last["council"] else "without the number of its council"
    return f"for the year {last['year']}, as of {last['taken']}, {council}"


def _instant(text: str) -> int | None:
    """Return milliseconds since 1970 of a date and time of this century; one without a zone is taken as UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 2000 <= found.year < 2100:
        return None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def day_of(instant: Millis) -> str:
    """Return the day of an instant."""
    return datetime.fromtimestamp(instant / 1000, UTC).date().isoformat()
