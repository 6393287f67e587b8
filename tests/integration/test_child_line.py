"""A child's line on a real Kafka: told, answered, explained, reconciled, each by the command that a person types."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.core.model.ports import Outgoing
from broker.core.model.registers import ADMINISTRATOR
from broker.policyfile import load_policy, policy_content
from broker.registerfile import load_content, load_registers
from broker.stream.clients import Writer, open_producer
from broker.stream.node.child_process import ChildProcess
from broker.stream.releases.follow import release
from broker.stream.topics import EVENTS
from tests.area import HUB, Area, encompass, register_all
from tests.patience import LONG

pytestmark = pytest.mark.kafka


def broker(area: Area, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--settings", str(area.settings_file)])


async def write(area: Area, *records: Outgoing) -> None:
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write(records)


async def put_in_force(area: Area) -> None:
    async with open_producer(area.kafka) as producer:
        administrator, registers = area.signers[ADMINISTRATOR], load_registers(area.registers_file)
        await release(producer, "registers", registers.version, load_content(area.registers_file), administrator)
        await release(producer, "policy", load_policy().version, policy_content(), administrator)


@pytest.fixture(scope="module")
def told(area: Area) -> Iterator[Area]:
    """An area with a worker, whose police said that a child was at an incident."""
    asyncio.run(put_in_force(area))
    child = area.child(0)
    asyncio.run(write(area, *(area.sign(event) for event in register_all([child]))))
    worker = ChildProcess(
        [sys.executable, "-m", "broker", "run", "--settings", str(area.settings_file)], area.folder / "worker.log"
    )
    worker.start()
    asyncio.run(write(area, area.sign(encompass(child, "m-1"))))
    yield area
    worker.stop()


def until(holds: Callable[[], Any], what: str, seconds: float = LONG) -> Any:
    """Try again until something holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(f"not within {seconds} s: {what}")


def subscribed(area: Area, recipient: str, *words: str) -> list[dict[str, Any]]:
    result = broker(area, "subscribe", recipient, "--until-now", "--json", *words)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]


def test_a_school_is_told_answers_and_the_story_of_it_is_in_the_log(told: Area) -> None:
    school = next(name for name in told.recipients if name.startswith("dsl-"))

    (alert, *_) = until(lambda: subscribed(told, school), "an alert for the school")
    again = subscribed(told, school, "--from", "beginning")
    once_more = subscribed(told, school, "--from", "beginning", "--again")

    assert alert["event_type"] == "police.encompass.notified"
    assert again == []
    assert [one["disclosure_id"] for one in once_more] == [alert["disclosure_id"]]

    assert broker(told, "acknowledge", school, alert["disclosure_id"][:12]).exit_code == 0

    def history() -> list[dict[str, Any]]:
        result = broker(told, "explain", alert["disclosure_id"], "--json")
        return json.loads(result.output.splitlines()[-1]) if result.exit_code == 0 else []

    entries = until(
        lambda: [one for one in history() if one["event_type"] == "receipt.read"] and history(), "the receipt in the log"
    )
    assert {one["subject"] for one in entries} == {"event", "receipt"}
    story = broker(told, "explain", "--event", entries[0]["event_id"]).output
    assert f"({school}): designated safeguarding lead" in " ".join(story.split())
    assert "Receipt: It was delivered" in story
    assert "Not told" in story or "Everybody else" in story


def test_the_log_balances_and_a_record_that_nobody_took_in_is_in_flight_or_dead(told: Area) -> None:
    police = next(topic for sector, topic in EVENTS.items() if sector.value == "POLICE")
    asyncio.run(write(told, Outgoing(police, b"k", b"not an event")))

    def all_taken() -> dict[str, Any] | None:
        result = broker(told, "reconcile", "--json")
        found = json.loads(result.output.splitlines()[-1])
        return (
            found if result.exit_code == 0 and found["total"]["dead_lettered"] == 1 and not found["total"]["in_flight"] else None
        )

    found = until(all_taken, "every record accounted for")
    total = found["total"]
    assert total["accepted"] == sum(total[name] for name in total if name != "accepted")
    assert (total["nowhere"], total["accepted"]) == (0, 4)
    assert "it balances: nothing vanished" in broker(told, "reconcile").output


def test_a_person_reads_at_three_in_the_morning_what_to_do(told: Area) -> None:
    school = next(name for name in told.recipients if name.startswith("dsl-"))
    until(lambda: subscribed(told, school, "--again", "--from", "beginning"), "an alert for the school")
    shown = broker(told, "subscribe", school, "--until-now", "--again", "--from", "beginning", "--no-receipt").output

    assert "ALERT  Police attended domestic abuse" in shown
    for label in ("child", "said by", "why you", "basis", "by"):
        assert f"\n  {label:<13}" in shown
    assert f"broker acknowledge {school} d-" in shown


def test_an_answer_to_what_was_never_shown_says_what_to_do(told: Area) -> None:
    result = broker(told, "acknowledge", HUB, "d-neverseen")

    assert result.exit_code != 0
    assert "broker subscribe hub" in str(result.exception)
