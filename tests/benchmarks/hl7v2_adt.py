"""Hospital messages: a file to canonical events, against the smallest honest loop over the same file.

Ours: framing, characters, escapes, identifiers with their checks, kin, practice, ages, what was told before (remembered on
disk), headers of the canonical form. The rival: `hl7.parse` of each message, the dates, a UUIDv5 and one data class for each.
"""

import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import hl7

from broker.core.intake.delivery import Delivery, Piece
from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import AgencyId, Digest, Millis
from broker.core.model.registers import Agency
from connectors.health.hl7v2_adt import Hl7Adt
from connectors.transports.memory import SqliteMemory
from tests.benchmarks import Figure, Place, median_of

MESSAGES = 2_000
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "hl7")


@dataclass
class Happening:
    """All that the rival makes of a message."""

    id: str
    kind: str
    numbers: list[str]
    names: list[str]
    born: date
    at: date
    said: dict[str, str]


def write_feed(path: Path, messages: int) -> None:
    """Write a day of a hospital: every segment that such messages have, one event from each."""
    chance = random.Random(20260101)
    path.write_text("".join(_message(number, chance) for number in range(messages)), encoding="utf-8")


def _message(number: int, chance: random.Random) -> str:
    born = f"{chance.randint(2010, 2024)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
    at = f"202609{chance.randint(1, 18):02}{chance.randint(0, 23):02}15"
    home = f"{number} FERN ROW^^ESKMOUTH^ESKSHIRE^ZZ4 4ZZ^GBR^H"
    who = f"9434765919^^^NHS^NH~{number}^^^RXX01^MR"
    return "\r".join((
        f"MSH|^~\\&|PAS|RXX01|ROUTE|ROUTE|{at}||ADT^A04^ADT_A01|{number}|P|2.4|||||GBR|UNICODE|EN||iTKv1.0",
        f"EVN||{at}|||111111111^Doe^Jan^^Miss^^RXX01|{at}",
        f"PID|1||{who}||FAMILY{number}^GIVEN^J^^MISS^^L||{born}|2|||{home}||01632960123||EN|S|C22|||||A",
        "PD1|||ESK PRACTICE^^Y99999|G5612908^Roe^Sam^^^Dr^^^GMC",
        f"NK1|1|FAMILY{number}^MARY^^^MRS^^L|MTH^Mother|{home}|01632960123",
        f"PV1|1|E|ED^^^RXX01|13|||C3456789^Coe^Pat^^^Dr^^^GMC||||||||19|||||V{number}^^^VISITID{'|' * 25}{at}",
        "PV2|||^fell from a wall",
        "DG1|1||S52.5^Fracture of lower end of radius^ICD10||202609010900|A",
        "ZU1|202609010900|1|C|202609010900||500",
        "",
    ))  # fmt: skip


def ours(path: Path, folder: Path) -> int:
    """Read the feed with the connector and a memory on disk; return the number of events."""
    piece = Piece(path.name, path.stat().st_size, Digest("0" * 64), lambda: path.open("rb"))
    agency = Agency(id=AgencyId("ods:RXX01"), name="A trust", sector=Sector.HEALTH, area="E10000099")
    memory = SqliteMemory(folder / f"{uuid.uuid4()}.sqlite")
    memory.begin()
    read = Hl7Adt().read(Delivery(agency, Millis(1_790_000_000_000), (piece,)), memory)
    events = sum(1 for one in read if isinstance(one, Event))
    memory.commit()
    memory.close()
    return events


def rival(path: Path, folder: Path) -> int:
    """Read it with the smallest honest loop; return the number of events."""
    return sum(1 for _ in _happenings(path.read_bytes().decode()))


def _happenings(text: str) -> Iterator[Happening]:
    for one in text.split("MSH|")[1:]:
        message = hl7.parse("MSH|" + one)
        msh, pid, visit = message.segment("MSH"), message.segment("PID"), message.segment("PV1")
        yield Happening(
            str(uuid.uuid5(_SPACE, f"{msh[4]}/{msh[10]}")),
            str(msh[9][0][1]),
            [str(number[0]) for number in pid[3]],
            [str(part) for part in pid[5][0]],
            _day(str(pid[7])),
            _day(str(message.segment("EVN")[6])),
            {
                "class": str(visit[2]),
                "visit": str(visit[19]),
                "postcode": str(pid[11][0][4]),
                "practice": str(message["PD1.3.1.3"]),
            },
        )


def _day(stamp: str) -> date:
    return datetime.strptime(stamp[:8], "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone


def measure(place: Place) -> list[Figure]:
    """Return events per second of CPU time, ours and the rival's."""
    counts: dict[str, int] = {}

    def rate(loop: Callable[[Path, Path], int]) -> float:
        start = time.process_time()
        counts[loop.__name__] = loop(path, folder)
        return counts[loop.__name__] / (time.process_time() - start)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "feed.hl7"
        write_feed(path, MESSAGES)
        mine, _ = median_of(lambda: rate(ours))
        theirs, _ = median_of(lambda: rate(rival))
    if counts["ours"] != counts["rival"]:
        raise AssertionError(f"the two do not read the same: {counts}")
    detail = {"messages": MESSAGES, "events": counts["ours"], "rival": "hl7.parse of every segment, dates, UUIDv5, dataclass"}
    return [Figure("hl7v2_adt", round(mine), "events per CPU second", round(theirs), round(mine / theirs, 3), detail)]
