"""A receipt as a recipient sends it, signed with its own key and with the token of the disclosure, and as a line takes it."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from broker import codec
from broker.core.line.feedback import Said
from broker.core.model.ports import Outgoing
from broker.errors import SendFailedError
from broker.sealing.signatures import Signer
from broker.stream.clients import KafkaProducer, Writer
from broker.stream.inbox import Inbox, Shown
from broker.stream.topics import RECEIPTS

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a recipient says of one disclosure; `token` came with it. `outcome` and `note` go with OUTCOME only."""

    disclosure_id: str
    token: bytes
    state: str
    said_at: int
    outcome: str | None = None
    note: str | None = None


def said_of(receipt: codec.Message) -> Said:
    """Return what a receipt says, as the child's line takes it."""
    return Said(
        disclosure_id=receipt["disclosure_id"],
        recipient=receipt["recipient"],
        state=receipt["state"].lower(),
        said_at=receipt["said_at"],
        outcome=receipt["outcome"],
        note=receipt["note"],
    )


def signed_receipt(signer: Signer, answer: Answer) -> Outgoing:
    """Make a signed receipt record; receipts of one disclosure keep their order."""
    value = codec.encode("receipt", {**asdict(answer), "recipient": signer.holder})
    headers = signer.headers(RECEIPTS, value, answer.disclosure_id)
    return Outgoing(RECEIPTS, answer.disclosure_id.encode(), value, headers)


async def confirm(kafka_producer: KafkaProducer, signer: Signer, inbox: Inbox, shown: Sequence[Shown]) -> None:
    """Say that some disclosures were delivered, and remember that it was said; raises SendFailedError as `send_receipts`."""
    if not shown:
        return
    now = time.time_ns() // 1_000_000
    answers = [Answer(disclosure_id=one.id, token=one.token, state="DELIVERED", said_at=now) for one in shown]
    await send_receipts(kafka_producer, signer, answers)
    inbox.mark((one.id for one in shown), "delivered")


async def send_receipts(kafka_producer: KafkaProducer, signer: Signer, answers: Iterable[Answer]) -> None:
    """Send a recipient's answers; all are acknowledged then.

    Raises SendFailedError when they are not within some seconds: aiokafka alone would wait without a word for as long as
    Kafka is away. An answer that is sent again says nothing new.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await Writer(kafka_producer).write([signed_receipt(signer, one) for one in answers])
    except TimeoutError as error:
        raise SendFailedError(f"Kafka did not acknowledge the receipts within {_PATIENCE_S:.0f} s") from error
