"""The commands that set a place up, as a person meets them: keys, schemas, the registers file."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import schemas
from broker.cli import cli
from broker.cli.schemas import write_lock
from broker.core.model.identifiers import is_event_id
from broker.errors import BrokerError, SchemaChangeError
from broker.policyfile import POLICIES
from broker.registerfile import load_registers
from tests.area import Area


def broker(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_a_new_key_prints_the_entry_for_the_registers_and_never_the_private_half(tmp_path: Path) -> None:
    made = broker("keys", "new", "urn:100001", "--folder", str(tmp_path))
    private = (tmp_path / "urn_100001.keys").read_text().splitlines()[-1].split('"')[1]

    assert made.exit_code == 0
    assert '[[key]]\nid = "urn:100001/' in made.output
    assert private not in made.output

    registers = tmp_path / "registers.toml"
    head = 'version = "1"\n[[area]]\nid = "E1"\nname = "E"\nhub = "hub"\n'
    agency = '[[agency]]\nid = "urn:100001"\nname = "S"\nsector = "SCHOOLS"\narea = "E1"\n'
    hub = '[[recipient]]\nid = "hub"\nname = "H"\nagency = "urn:100001"\narea = "E1"\nroles = ["hub"]\n'
    registers.write_text(head + agency + hub + made.output)
    assert [key.holder for key in load_registers(registers).keys.values()] == ["urn:100001"]


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_the_public_half_of_a_key_is_shown_again(tmp_path: Path, how: tuple[str, ...]) -> None:
    made = broker("keys", "new", "urn:100001", "--folder", str(tmp_path), *how)
    shown = broker("keys", "show", "urn:100001", "--folder", str(tmp_path), *how)
    again = broker("keys", "new", "urn:100001", "--folder", str(tmp_path))
    nobody = broker("keys", "show", "urn:100002", "--folder", str(tmp_path))

    assert shown.output == made.output
    assert shown.exit_code == 0
    assert "`broker keys show urn:100001` shows its public half" in str(again.exception)
    assert "make one with `broker keys new urn:100002`" in str(nobody.exception)


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    assert broker("keys", "broker", "--folder", str(tmp_path)).exit_code == 0

    again = broker("keys", "broker", "--folder", str(tmp_path))
    assert isinstance(again.exception, BrokerError)
    assert "is there already" in str(again.exception)


@pytest.mark.search
def test_the_schemas_are_as_released() -> None:
    assert broker("schemas", "check").exit_code == 0
    assert json.loads(broker("schemas", "check", "--json").output)["changed"] == []


@pytest.mark.search
def test_a_schema_that_was_released_and_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = json.loads(json.dumps(schemas.lock()))
    lock["receipt"][0]["schema"]["fields"].append({"name": "gone", "type": "string", "category": "existence"})
    monkeypatch.setattr(schemas, "lock", lambda: lock)

    found = broker("schemas", "check")

    assert isinstance(found.exception, SchemaChangeError)
    assert "field `Receipt.gone`: was renamed or removed" in str(found.exception)


@pytest.mark.search
def test_an_id_that_stands_at_two_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = json.loads(json.dumps(schemas.lock()))
    lock["receipt"][-1]["id"] = number = lock["review"][-1]["id"]
    monkeypatch.setattr(schemas, "lock", lambda: lock)

    found = broker("schemas", "check")

    assert isinstance(found.exception, SchemaChangeError)
    assert f"id {number} stands at" in str(found.exception)


@pytest.mark.search
def test_a_release_adds_a_version_and_keeps_the_old_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = json.loads(json.dumps(schemas.lock()))
    fields = lock["receipt"][-1]["schema"]["fields"]
    lock["receipt"][-1]["schema"]["fields"] = [one for one in fields if one["name"] != "note"]
    monkeypatch.setattr(schemas, "lock", lambda: lock)
    monkeypatch.setattr(schemas, "LOCK_FILE", tmp_path / "lock.json")

    unreleased = broker("schemas", "check")
    released = broker("schemas", "check", "--release")

    assert (unreleased.exit_code, released.exit_code) == (1, 0)
    after = json.loads((tmp_path / "lock.json").read_text())
    assert after["receipt"][:-1] == lock["receipt"]
    ids = [one["id"] for versions in after.values() for one in versions]
    assert len(set(ids)) == len(ids)
    assert list(after) == list(schemas.NAMES)


def test_an_unchanged_lock_file_is_written_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = schemas.LOCK_FILE.read_text()
    lock = dict(schemas.lock())
    monkeypatch.setattr(schemas, "LOCK_FILE", tmp_path / "lock.json")

    write_lock(lock, [])

    assert json.loads((tmp_path / "lock.json").read_text()) == json.loads(before)


def test_a_schema_that_is_no_json_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in schemas.FOLDER.glob("*.avsc"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "receipt.avsc").write_text('{"type": "record",\n "name" "Receipt"}')
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)

    found = broker("schemas", "check")

    assert isinstance(found.exception, SchemaChangeError)
    assert "`receipt.avsc`: is not JSON: line 2 column 9" in str(found.exception)


_SECOND_DESK = """
[[recipient]]
id = "deputy-100001"
name = "Deputy"
area = "E10000030"
agency = "urn:100001"
serves = ["urn:100001"]
roles = ["dsl"]
"""


def narrow(file: Path, recipient: str, *said: str) -> Result:
    """Narrow against the policy that comes with the program."""
    return broker("registers", "subscribe", recipient, "--registers", str(file), *said, "--policy", str(POLICIES))


def test_a_subscription_is_narrowed_in_the_file_and_everything_can_be_heard_again(tmp_path: Path) -> None:
    area = Area(tmp_path / "area", "127.0.0.1:1")
    area.write()
    file = area.registers_file
    file.write_text(file.read_text() + _SECOND_DESK)
    before = file.read_text()

    narrowed = narrow(file, "dsl-100001", "--event-type", "police.encompass.notified")
    widened = narrow(file, "dsl-100001", "--event-type", "police.intelligence.held")
    shown = broker("registers", "show", str(file), "--settings", str(area.settings_file))
    again = narrow(file, "dsl-100001", "--everything")

    assert (narrowed.exit_code, again.exit_code) == (0, 0), narrowed.output
    assert "a subscription only narrows" in str(widened.exception)
    assert "hears only   police.encompass.notified" in shown.output
    assert file.read_text() == before


def test_the_registers_are_shown_with_whose_key_is_in_force_and_who_stands_in_for_a_desk(tmp_path: Path) -> None:
    """Who changes a key for another has to see both, and until when the old one counts."""
    area = Area(tmp_path / "area", "127.0.0.1:1")
    area.write()
    file = area.registers_file
    said = file.read_text().replace('id = "dsl-100001"\n', 'id = "dsl-100001"\nalternate = "deputy-100001"\n', 1)
    new = broker("keys", "new", "urn:100001", "--folder", str(tmp_path / "other")).output
    file.write_text(said + _SECOND_DESK + new + "until = 2027-01-01T00:00:00Z\n")

    shown = broker("registers", "show", str(file), "--settings", str(area.settings_file)).output

    school = shown[shown.index("agency urn:100001") : shown.index("\n\n", shown.index("agency urn:100001"))]
    assert len(re.findall(r"^  key +urn:100001/[0-9a-f]{12}", school, re.MULTILINE)) == 2, "the old one and the new"
    assert ", until Fri 1 Jan 2027 at 00:00" in school
    assert "  alternate    deputy-100001" in shown
    assert re.search(r"^key of administrator\n  key +administrator/", shown, re.MULTILINE)


def test_nobody_is_let_out_of_what_would_then_reach_nobody(tmp_path: Path) -> None:
    """The hub alone is the hub, and the lead alone is the school's: the rules that speak to them would find nobody."""
    area = Area(tmp_path / "area", "127.0.0.1:1")
    area.write()
    file = area.registers_file
    before = file.read_text()

    hub = narrow(file, "hub", "--event-type", "police.missing.reported")
    lead = narrow(file, "dsl-100001", "--event-type", "police.encompass.notified")

    assert "role `hub` at `E10000030`: nobody but `hub` fills it" in str(hub.exception)
    assert "`school.concern.raised` (rule `concern-to-hub`)" in str(hub.exception)
    assert "role `dsl` at `urn:100001`" in str(lead.exception)
    assert file.read_text() == before


def test_publishing_names_every_bad_line_and_checks_without_kafka(tmp_path: Path) -> None:
    area = Area(tmp_path / "area", "127.0.0.1:1")
    area.write()
    good = {"header": {"event_type": "school.concern.raised", "recorded_at": "2026-11-20T09:00:00Z"}}
    lines = [json.dumps(good), "{", "", json.dumps({"header": {**good["header"], "acton": "x"}})]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines))
    arguments = ["publish", str(file), "--agency", "urn:100001", "--dry-run", "--settings", str(area.settings_file)]

    told = broker(*arguments)
    as_json = json.loads(broker(*arguments, "--json").output)

    assert told.exit_code == 3
    assert "would publish 1 event, 2 lines not taken" in told.output
    assert "line 4: field `header.acton`: unknown" in told.output
    assert [one["line"] for one in as_json["bad"]] == [2, 4]
    assert as_json["doubts"] == []
    assert [is_event_id(one) for one in as_json["event_ids"]] == [True], "only by its id it can be corrected later"


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_an_event_is_said_to_be_one_and_not_published_in_silence(content: str, tmp_path: Path) -> None:
    """An export that failed looks so; nobody would notice until somebody was not told."""
    area = Area(tmp_path / "area", "127.0.0.1:1")
    area.write()
    file = tmp_path / "events.jsonl"
    file.write_text(content)

    told = broker("publish", str(file), "--agency", "urn:100001", "--dry-run", "--settings", str(area.settings_file))

    assert told.exit_code == 3
    assert "events.jsonl: holds no event" in told.output
    assert "would publish 0 events\n" in told.output


def test_publishing_names_the_fields_that_would_act_on_a_screen_and_takes_their_events(tmp_path: Path) -> None:
    area = Area(tmp_path / "area", "127.0.0.1:1")
    area.write()
    header = {"event_type": "school.concern.raised", "recorded_at": "2026-11-20T09:00:00Z"}
    file = tmp_path / "events.jsonl"
    own = {"rule": "control_character", "field": "\x1b[2J", "severity": "info"}
    file.write_text(json.dumps({"header": {**header, "contact_point": "desk\x1b[2J"}, "quality": [own]}))
    arguments = ["publish", str(file), "--agency", "urn:100001", "--dry-run", "--settings", str(area.settings_file)]

    told = broker(*arguments)

    assert told.exit_code == 0
    assert "field `header.contact_point`: holds control characters" in told.output
    assert "\x1b" not in told.output
    assert "header.contact_point" in [one["field"] for one in json.loads(broker(*arguments, "--json").output)["doubts"]]


def test_a_feed_is_let_speak_for_a_school_by_the_command_that_the_report_names(tmp_path: Path) -> None:
    area = Area(tmp_path / "area", "127.0.0.1:1")
    area.write()
    file = area.registers_file
    before = file.read_text()
    words = ("registers", "speaks-for", "urn:100001", "--school", "urn:100009", "--registers", str(file))

    entered = broker(*words, "--known-as", "laestab:9994001")
    more = broker(*words, "--known-as", "native:SCH9")
    shown = broker("registers", "show", str(file), "--settings", str(area.settings_file))
    wrong = broker(*words, "--known-as", "SCH9")
    ended = broker(*words, "--no-longer")

    assert (entered.exit_code, more.exit_code, ended.exit_code) == (0, 0, 0), entered.output
    assert "speaks for urn:100009, known to it as laestab:9994001, native:SCH9" in more.output
    assert re.search(r"speaks for +urn:100009", shown.output)
    assert "known_as" in str(wrong.exception)
    assert file.read_text() == before
