"""School census: a set of tables to canonical events, against the smallest honest loop over the same tables.

Ours: tables joined in memory that does not grow with them, findings, comparison with the census before (remembered on disk),
headers of the canonical form. The rival: `csv.DictReader` with the whole of the smaller tables in dictionaries, the dates
parsed, a UUIDv5 and one data class for each event, nothing remembered and nothing checked.
"""

import csv
import random
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

from broker.core.intake.delivery import Delivery, Piece
from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import AgencyId, Digest, Millis
from broker.core.model.registers import Agency
from connectors.schools.school_census import SchoolCensus
from connectors.transports.memory import SqliteMemory
from tests.benchmarks import Figure, Place, median_of

PUPILS = 20_000
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "school census")
_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
_ROLL = "pupilonrolltableid,NativeId,dob,surname,forename,middlenames,preferredsurname,formersurname,upn,formerupn,"
_ROLL += "uniquelearnernumber,sex,entrydate,pupilonrollorderseqcolumn,sourceid,schoolcensustableid,parttime,"
_ROLL += "termlysessionspossible,ethnicity,language,enrolstatus,senprovision,ncyearactual,youngcarer"
_KEY = "pupilonrolltableid,NativeId"
_HEADS = {
    "pupilonroll": _ROLL,
    "addressesonroll": f"{_KEY},addressesonrollorderseqcolumn,postcode,paon,street,town",
    "termlyexclusionsonroll": f"{_KEY},termlyexclusionsonrollorderseqcolumn,startdate,sessions,reason1,category",
    "termlysessiondetailsonroll": f"{_KEY},termlysessiondetailsonrollorderseqcolumn,sessions,attendancereason",
}


@dataclass
class Happening:
    """All that the rival makes of a row."""

    id: str
    kind: str
    pupil: dict[str, str]
    born: date
    on: date | None
    said: dict[str, str]


def write_tables(folder: Path, pupils: int) -> list[Path]:
    """Write the tables of made-up pupils: an address and four attendance codes each, every tenth suspended."""
    chance = random.Random(20260101)
    paths = {name: folder / f"2025_autumn_{name}.csv" for name in _HEADS}
    files = {name: path.open("w", encoding="utf-8", newline="") for name, path in paths.items()}
    for name, file in files.items():
        file.write(f"{_HEADS[name]}\r\n")
    for number in range(pupils):
        for name, row in _pupil(number, chance):
            files[name].write(f"t{number},9994001,{row}\r\n")
    for file in files.values():
        file.close()
    return list(paths.values())


def _pupil(number: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    born = f"{chance.randint(2008, 2020)}-{chance.choice(('Jan', 'May', 'Oct'))}-{chance.randint(1, 28):02} 00:00:00"
    who = f"{born},Family{number % 4_000},Given{number % 900},,,,{_upn(number)},,,M,2024-Sep-03 00:00:00"
    yield "pupilonroll", f"{who},1,s1,c1,False,120.0,WBRI,ENG,C,N,5,N"
    yield "addressesonroll", f"1,ZZ{number % 90} 1AB,{number % 200},Fern Row,Eskmouth"
    for code, sessions in (("/", 80), ("I", 8), ("U", 12 + number % 12), ("M", 1)):
        yield "termlysessiondetailsonroll", f"1,{sessions}.0,{code}"
    if number % 10 == 0:
        yield "termlyexclusionsonroll", f"1,2025-Oct-{1 + number % 28:02} 00:00:00,4.0,PA,SUSP"


def _upn(number: int) -> str:
    digits = f"999400125{number % 1000:03}"[:12] if number < 1000 else f"9994{number:08}"
    values = [int(digit) for digit in digits]
    return _LETTERS[sum(value * weight for value, weight in zip(values, range(2, 14), strict=True)) % 23] + digits


def ours(paths: list[Path], folder: Path) -> int:
    """Read the set with the connector and a memory on disk; return the number of events."""
    pieces = tuple(Piece(path.name, path.stat().st_size, Digest("0" * 64), _opener(path)) for path in paths)
    schools = {"urn:100001": frozenset({"laestab:9994001"})}
    agency = Agency(id=AgencyId("feed"), name="A council", sector=Sector.SCHOOLS, area="E10000099", speaks_for=schools)
    memory = SqliteMemory(folder / f"{uuid.uuid4()}.sqlite")
    memory.begin()
    read = SchoolCensus().read(Delivery(agency, Millis(1_790_000_000_000), pieces), memory)
    events = sum(1 for one in read if isinstance(one, Event))
    memory.commit()
    memory.close()
    return events


def _opener(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")


def rival(paths: list[Path], folder: Path) -> int:
    """Read it with the smallest honest loop; return the number of events."""
    return sum(1 for _ in _happenings({path.stem.rpartition("_")[2]: path for path in paths}))


def _happenings(paths: dict[str, Path]) -> Iterator[Happening]:
    addresses, excluded, missed = (_by_pupil(paths[name]) for name in list(_HEADS)[1:])
    for pupil in _rows(paths["pupilonroll"]):
        key = (pupil["pupilonrolltableid"], pupil["NativeId"])
        born, name = _day(pupil["dob"]), f"{pupil['NativeId']}/{pupil['upn']}"
        where = addresses[key][0] if addresses[key] else {}
        yield Happening(str(uuid.uuid5(_SPACE, name)), "registered", pupil, born, _day(pupil["entrydate"]), where)
        for row in excluded[key]:
            identity = str(uuid.uuid5(_SPACE, f"{name}/{row['startdate']}/{row['category']}"))
            yield Happening(identity, row["category"], pupil, born, _day(row["startdate"]), row)
        absent = sum(float(row["sessions"]) for row in missed[key] if row["attendancereason"] in "NOUG")
        if absent >= 20:
            yield Happening(str(uuid.uuid5(_SPACE, f"{name}/absent")), "absent", pupil, born, None, {"sessions": str(absent)})


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def _by_pupil(path: Path) -> dict[tuple[str, str], list[dict[str, str]]]:
    found: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in _rows(path):
        found[row["pupilonrolltableid"], row["NativeId"]].append(row)
    return found


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y-%b-%d %H:%M:%S").date()  # noqa: DTZ007 - a day has no zone


def measure(place: Place) -> list[Figure]:
    """Return events per second of CPU time, ours and the rival's, turn and turn about."""
    counts: dict[str, int] = {}

    def rate(loop: Callable[[list[Path], Path], int]) -> float:
        start = time.process_time()
        counts[loop.__name__] = loop(paths, folder)
        return counts[loop.__name__] / (time.process_time() - start)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_tables(folder, PUPILS)
        size = sum(path.stat().st_size for path in paths) / 1e6
        mine, _ = median_of(lambda: rate(ours))
        theirs, _ = median_of(lambda: rate(rival))
    if counts["ours"] != counts["rival"]:
        raise AssertionError(f"the two do not read the same: {counts}")
    detail = {"megabytes": round(size, 1), "pupils": PUPILS, "events": counts["ours"], "rival": "csv.DictReader, dicts to join"}
    return [Figure("school_census", round(mine), "events per CPU second", round(theirs), round(mine / theirs, 3), detail)]
