"""Writes a whole synthetic area into a folder: native files in their order of arrival, registers, settings, and the truth."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from broker.errors import InputError
from broker.simulate import numbers
from broker.simulate.area import COUNCIL, Area
from broker.simulate.arrival import Dispatch, Week
from broker.simulate.cast import casts
from broker.simulate.registers import registers_text
from broker.simulate.story import load_stories
from broker.simulate.truth import Claim, claim_from_json, claims

ARRIVALS, TRUTH, REGISTERS_FILE, SETTINGS_FILE, ABOUT = (
    "arrivals.jsonl",
    "truth.jsonl",
    "registers.toml",
    "broker.toml",
    "area.json",
)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: deliveries and records by connector, and claims of the truth by their kind."""

    deliveries: Mapping[str, int]
    records: Mapping[str, int]
    truth: Mapping[str, int]
    told: int  # instances of stories


def write_area(
    area: Area, out: Path, *, kafka: str = "127.0.0.1:9092", told: Callable[[Dispatch], None] = lambda _: None
) -> Written:
    """Write an area into a folder that is empty or not there; raises InputError.

    The same area gives the same bytes on any machine.
    """
    if area.children > numbers.MOST_CHILDREN:
        raise InputError(f"{area.children} children: the test range of NHS numbers ends at {numbers.MOST_CHILDREN}")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"folder `{out}` is not empty: name another, or take away what is there")
    out.mkdir(parents=True, exist_ok=True)
    parts = tuple(casts(area, load_stories()))
    about = {"seed": area.seed, "children": area.children, "until": area.until.isoformat(), "stories": len(parts)}
    (out / ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")
    week = Week(area, parts, out, told)
    week.write()
    _lines(out / ARRIVALS, (asdict(one) for one in week.dispatches))
    lines = [claim for cast in parts for claim in claims(cast)]
    _lines(out / TRUTH, (claim.as_json() for claim in lines))
    (out / REGISTERS_FILE).write_text(registers_text(area), encoding="utf-8")
    (out / SETTINGS_FILE).write_text(settings_text(kafka), encoding="utf-8")
    deliveries = Counter(one.connector for one in week.dispatches)
    records: Counter[str] = Counter()
    for one in week.dispatches:
        records[one.connector] += one.records
    return Written(deliveries, records, Counter(claim.claim for claim in lines), len(parts))


def settings_text(kafka: str) -> str:
    """Return settings that fit the folder, for the commands that people try in it."""
    return (
        f'# Settings of the synthetic area; relative paths start here.\nkafka = "{kafka}"\ndata = "state"\nkeys = "keys"\n'
        f'area = "{COUNCIL}"\nmode = "demo"\npartitions = 8\n'
    )


def read_arrivals(folder: Path) -> list[Dispatch]:
    """Read which deliveries a folder holds, in their order."""
    return [Dispatch(**{**said, "files": tuple(said["files"])}) for said in _read(folder / ARRIVALS)]


def read_truth(folder: Path) -> list[Claim]:
    """Read the truth of a folder."""
    return [claim_from_json(said) for said in _read(folder / TRUTH)]


def _lines(path: Path, said: Iterator[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in said)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)
    except FileNotFoundError:
        raise InputError(f"file `{path}`: not there: `broker simulate --out {path.parent}` writes it") from None
