import csv
import hashlib
import itertools
import json
from collections import Counter
from datetime import date
from pathlib import Path

import hl7
import pytest
from lxml import etree

from broker.errors import InputError
from broker.registerfile import load_registers
from broker.settings import load_settings
from broker.simulate.area import Area
from broker.simulate.story import load_stories
from broker.simulate.write import read_arrivals, read_truth, write_area

UNTIL = date(2026, 11, 20)


def an_area(out: Path, *, seed: int = 5, children: int = 500, stories: int = 64) -> Path:
    write_area(Area(seed=seed, children=children, stories=stories, until=UNTIL), out)
    return out


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return an_area(tmp_path_factory.mktemp("area") / "area")


def digest_of(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.mark.search
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(area, tmp_path):
    assert digest_of(area) == digest_of(an_area(tmp_path / "again"))
    assert digest_of(area) != digest_of(an_area(tmp_path / "other", seed=6))


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(InputError, match="is not empty"):
        an_area(tmp_path)


def test_every_file_that_is_written_arrives_once(area):
    arrived = [name for one in read_arrivals(area) for name in one.files]

    assert sorted(arrived) == sorted(str(path.relative_to(area)) for path in (area / "feeds").rglob("*") if path.is_file())


def test_the_census_is_well_formed_and_grows_without_losing_anybody(area):
    files = sorted((area / "feeds").rglob("cin-*.xml"))
    held = [{element.text or "" for element in etree.parse(path).iter("LAchildID")} for path in files]

    assert len(held) >= 2
    assert all(earlier <= later for earlier, later in itertools.pairwise(held))


def test_each_messages_file_parses_as_hl7_with_a_sound_identity(area):
    for path in (area / "feeds").rglob("*.hl7"):
        content = path.read_bytes().decode()
        for part in content.split("MSH|")[1:]:
            message = hl7.parse("MSH|" + part)
            assert message.segment("PID")(3)(0)(0)(0).startswith("999")


def test_tables_of_a_school_join(area):
    for path in (area / "feeds").rglob("*_pupilonroll.csv"):
        pupils = {row["pupilonrolltableid"] for row in rows_of(path)}
        for beside in path.parent.glob("*_termlyexclusionsonroll.csv"):
            assert pupils >= {row["pupilonrolltableid"] for row in rows_of(beside)}


def test_each_line_of_the_canonical_form_is_json_with_a_header(area):
    for path in (area / "feeds").rglob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert json.loads(line)["header"]["event_id"]


def test_the_truth_covers_every_story(area):
    told = Counter(claim.story for claim in read_truth(area))

    assert {story.id for story in load_stories()} == set(told)


def test_no_secret_stands_in_a_file_of_somebody_who_must_not_read_it(area):
    """A canary may be in an agency's own feed; it must not be in the registers or the settings."""
    public = (area / "registers.toml").read_bytes() + (area / "broker.toml").read_bytes()

    assert not [claim.text for claim in read_truth(area) if claim.text and claim.text.encode() in public]


def test_registers_and_settings_are_fit(area):
    registers = load_registers(area / "registers.toml")

    assert load_settings(area / "broker.toml").mode == "demo"
    assert {claim.recipient for claim in read_truth(area) if claim.recipient} <= set(registers.recipients)


def test_an_area_has_the_children_that_were_asked_for(area):
    numbers = set()
    for path in (area / "feeds").rglob("*.hl7"):
        numbers |= {part.split("^")[0] for part in path.read_text(encoding="utf-8").split("||") if part.startswith("999")}

    assert 480 <= len(numbers) <= 500
