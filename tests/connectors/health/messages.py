"""Builders of hospital messages, and what the connector makes of them."""

from broker.core.intake.delivery import Delivery, Finding, piece_from_bytes
from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import AgencyId, Millis
from broker.core.model.registers import Agency
from connectors.health.hl7v2_adt import Hl7Adt
from tests.connectors.contract import MemoryInHand

NHS = "9434765919"  # sound by modulus 11, and nobody's
BORN = "20150203"


def message(trigger: str, *segments: str, control: str = "C1", at: str = "202609011000", version: str = "2.4") -> str:
    head = f"MSH|^~\\&|PAS|RXX01|R|R|{at}||ADT^{trigger}|{control}|P|{version}"
    return "\r".join((head, f"EVN|{trigger}|{at}", *segments, ""))


def pid(
    born: str = BORN, *, numbers: str = f"77^^^RXX01^MR~{NHS}^^^NHS^NH", reliability: str = "NSTS01", name: str = "QUILL^ADA"
) -> str:
    address = "12 FERN ROW^^ESKMOUTH^^ZZ44ZZ^GBR^H"
    return f"PID|1||{numbers}||{name}||{born}|2|||{address}||01632960123|||||||||A||||||||||{reliability}"


def visit(kind: str, number: str = "V1", arrived: str = "") -> str:
    return f"PV1|1|{kind}" + "|" * 17 + number + "|" * 25 + arrived


def read(content: str | bytes, memory: MemoryInHand | None = None, name: str = "feed.hl7") -> tuple[list[Event], list[Finding]]:
    who = Agency(id=AgencyId("ods:RXX01"), name="A trust", sector=Sector.HEALTH, area="E10000099", registers_people=True)
    raw = content if isinstance(content, bytes) else content.encode()
    said = list(Hl7Adt().read(Delivery(who, Millis(1_790_000_000_000), (piece_from_bytes(name, raw),)), memory or MemoryInHand()))
    return [one for one in said if isinstance(one, Event)], [one for one in said if isinstance(one, Finding)]


def types(events: list[Event]) -> list[str]:
    return [event.header.event_type for event in events]
