"""From a file in the canonical form to the child's line, through a running worker and a person's decision, on a real Kafka."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.core.model.identifiers import event_id
from broker.sealing.signatures import new_key
from tests.area import Area
from tests.patience import LONG

pytestmark = pytest.mark.kafka
_WAIT_S = LONG


def broker(area: Area, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--settings", str(area.settings_file)])


def ok(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def worker(area: Area) -> Iterator[None]:
    """A worker on an area whose registers and policy are released by command."""
    ok(broker(area, "registers", "release", str(area.registers_file)))
    ok(broker(area, "policy", "release"))
    command = [sys.executable, "-m", "broker", "run", "--no-index", "--settings", str(area.settings_file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield
        process.terminate()
        process.wait(10)


def reviews(area: Area, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ok(broker(area, "reviews", "list", "--json", *options)).splitlines()]


def until(seen: Callable[[], Any], what: str) -> Any:
    """Ask again until there is an answer."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        if found := seen():
            return found
        time.sleep(0.3)
    raise AssertionError(f"not seen within {_WAIT_S} s: {what}")


MISSPELT, EARLY, NORA = (event_id("tests", one, "1") for one in ("it-misspelt", "it-early", "it-nora"))
NHS = "9990000018"


def line(event_type: str, given: str, record: str, **identity: Any) -> str:
    """One event in the canonical form, about a child with this given name."""
    said = {"names": [{"given": given, "family": "Marsh"}], "birth_date": "2014-05-06", **identity}
    header = {"event_type": event_type, "recorded_at": "2026-11-20T09:00:00Z", "event_id": event_id("tests", record, "1")}
    return json.dumps({"header": header, "identity": said, "location": {"postcode": "ES1 2AB"}})


def publish(area: Area, folder: Path, agency: str, *lines: str) -> str:
    file = folder / "events.jsonl"
    file.write_text("\n".join(lines))
    return ok(broker(area, "publish", str(file), "--agency", agency))


def test_an_unknown_childs_event_is_reviewed_shown_and_linked(area: Area, worker: None, tmp_path: Path) -> None:
    roll = line("school.pupil.registered", "Alfie", "it-roll", identifiers=[{"scheme": "local", "value": "7"}])
    publish(area, tmp_path, "urn:100001", roll)
    said = publish(area, tmp_path, "police:42", line("police.missing.reported", "Alfi", "it-misspelt"))
    assert said.startswith("published 1 event\n")

    [review] = until(lambda: [one for one in reviews(area) if one["event_id"] == MISSPELT and one["candidates"]], "its review")
    listed = ok(broker(area, "reviews", "list"))
    shown = json.loads(ok(broker(area, "reviews", "show", review["review_id"], "--json")))

    assert review["kind"] == "UNIDENTIFIED"
    assert "Marsh" not in listed
    assert shown["event"]["identity"]["names"][0]["given"] == "Alfi"

    [child] = review["candidates"]
    ok(broker(area, "reviews", "link", review["review_id"], "--child", child[:12], "--reason", "spelt otherwise"))
    [closed] = until(
        lambda: [one for one in reviews(area, "--all") if one["event_id"] == MISSPELT and one["state"] == "RESOLVED"],
        "its end",
    )

    assert (closed["decision"], closed["reason"]) == ("LINK", "spelt otherwise")
    again = broker(area, "reviews", "reject", review["review_id"], "--reason", "twice")
    assert "resolved already" in str(again.exception)


def test_a_child_of_whom_the_hub_was_told_nothing_is_found_by_the_number_in_its_own_records(
    area: Area, worker: None, tmp_path: Path
) -> None:
    numbers = [{"scheme": "nhs_number", "value": NHS, "verified": True}]
    publish(area, tmp_path, "urn:100001", line("school.pupil.registered", "Dora", "it-dora", identifiers=numbers))
    publish(area, tmp_path, "police:42", line("police.missing.reported", "Nora", "it-nora", birth_date="2014-06-05"))
    [review] = until(lambda: [one for one in reviews(area) if one["event_id"] == NORA], "its review")

    other = broker(area, "reviews", "link", review["review_id"], "--number", "999 000 0026", "--reason", "seen")
    ok(broker(area, "reviews", "link", review["review_id"], "--number", f"{NHS[:3]} {NHS[3:]}", "--reason", "seen"))

    assert "no child is known by that number" in str(other.exception)
    assert "0026" not in str(other.exception)
    [closed] = until(
        lambda: [one for one in reviews(area, "--all") if one["event_id"] == NORA and one["state"] != "OPEN"], "its end"
    )
    assert (closed["decision"], closed["state"]) == ("LINK", "RESOLVED")


def test_an_event_that_came_too_early_goes_on_by_itself(area: Area, worker: None, tmp_path: Path) -> None:
    publish(area, tmp_path, "police:42", line("police.missing.reported", "Bertie", "it-early"))
    until(lambda: [one for one in reviews(area) if one["event_id"] == EARLY], "its review")

    publish(
        area,
        tmp_path,
        "urn:100001",
        line("school.pupil.registered", "Bertie", "it-late", identifiers=[{"scheme": "local", "value": "8"}]),
    )

    [closed] = until(
        lambda: [one for one in reviews(area, "--all") if one["event_id"] == EARLY and one["state"] == "WITHDRAWN"],
        "its end",
    )
    assert closed["kind"] == "UNIDENTIFIED"


def test_releasing_registers_again_says_so_and_a_reused_version_is_refused(area: Area, worker: None) -> None:
    again = ok(broker(area, "registers", "release", str(area.registers_file)))
    shown = ok(broker(area, "registers", "show"))
    other = area.folder / "other.toml"
    other.write_text(area.registers_file.read_text().replace("Eskshire", "Westshire"))

    refused = broker(area, "registers", "release", str(other))

    assert "was in force already" in again
    assert "area E10000030  Eskshire\n  hub          hub\n" in shown
    assert "give it a new version" in str(refused.exception)


def test_a_review_or_child_that_is_not_there_is_said_to_be_unknown(area: Area, worker: None) -> None:
    unknown = broker(area, "reviews", "show", "r-0000")
    child = broker(area, "reviews", "link", "r-", "--child", "c-nobody", "--reason", "x")

    assert "see `broker reviews list --all`" in str(unknown.exception)
    assert child.exit_code != 0


def test_what_intake_would_refuse_is_not_said_to_be_published(area: Area, worker: None, tmp_path: Path) -> None:
    """By the registers and the policy in force: another sector's type, one that nobody knows, a key that is not registered."""
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(line(one, "Clara", one) for one in ("police.missing.reported", "school.no_such_type")))
    said = broker(area, "publish", str(file), "--agency", "urn:100001", "--json")
    new_key(area.folder / "keys", "urn:999999")
    stranger = broker(area, "publish", str(file), "--agency", "urn:999999")

    told = json.loads(said.output)
    assert (said.exit_code, told["published"], [one["line"] for one in told["bad"]]) == (3, 0, [1, 2])
    assert "urn:999999` is not in the registers in force" in str(stranger.exception)
