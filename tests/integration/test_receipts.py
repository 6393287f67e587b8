"""An alert counts as received when its recipient says so, and not when somebody else does (I10)."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.codec import encode
from broker.core.model.ports import Outgoing
from broker.sealing.signatures import Signer
from broker.stream.clients import Writer, open_producer
from broker.stream.receipt import Answer, signed_receipt
from broker.stream.topics import RECEIPTS
from tests.area import Area
from tests.feed import Feed, Ledger, prepare
from tests.worker import wait_for, workers

pytestmark = pytest.mark.kafka
LEAD, OTHER = "dsl-100001", "dsl-100002"


def broker(area: Area, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--settings", str(area.settings_file)])


async def write(area: Area, *records: Outgoing) -> None:
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write(records)


def told(area: Area) -> list[dict[str, Any]]:
    """What the lead was told, as it reads it without saying that it has it."""
    said = broker(area, "subscribe", LEAD, "--from", "beginning", "--until-now", "--again", "--no-receipt", "--json")
    return [json.loads(line) for line in said.stdout.splitlines()]


def waiting(area: Area) -> dict[str, int]:
    """How many alerts each recipient has not received."""
    found = json.loads(broker(area, "lag", "--json").stdout)["undelivered"]
    return {one["recipient"]: one["count"] for one in found}


def forged(disclosure_id: str, signer: Signer | None) -> Outgoing:
    """Somebody's word that the lead received it: signed by nobody, or by another's key."""
    said = Answer(disclosure_id=disclosure_id, token=b"guessed", state="DELIVERED", said_at=1)
    if signer is not None:
        return signed_receipt(signer, said)
    message = {"disclosure_id": disclosure_id, "recipient": LEAD, "state": "DELIVERED", "said_at": 1, "token": b"guessed"}
    return Outgoing(RECEIPTS, disclosure_id.encode(), encode("receipt", message))


def test_who_can_write_receipts_cannot_hide_an_alert_that_its_recipient_never_had(area: Area) -> None:
    """The attack: a raw client says of an alert that it was received; nobody would see that the school never heard."""
    alert, *_ = Feed(area, [area.child(0)], Ledger("ES/receipt"), run="receipt").make(1)
    asyncio.run(prepare(area, [area.child(0)]))
    with workers(area, 1):
        asyncio.run(write(area, alert))
        assert wait_for(lambda: told(area), 40, 1.0)
        disclosed = told(area)[0]["disclosure_id"]
        before = waiting(area)
        asyncio.run(write(area, forged(disclosed, None), forged(disclosed, area.signers[OTHER])))
        assert wait_for(lambda: broker(area, "dead-letters", "list").stdout.count("receipts.v1") >= 1, 20)
        after = waiting(area)
        assert broker(area, "acknowledge", LEAD, disclosed).exit_code == 0
        assert wait_for(lambda: LEAD not in waiting(area), 20, 0.5), waiting(area)

    assert before[LEAD] == 1
    assert after == before
