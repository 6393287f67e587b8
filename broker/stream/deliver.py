"""The stage that takes receipts: who says it, of what, and to which child's line it goes.

A receipt counts when the recipient's own key signed it and its token, sealed by the broker, is that of this disclosure and
this recipient; anything else is a dead letter. It keeps no state.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker import codec
from broker.core.model.ports import CAUSE, Effects, Outgoing, Position, Record, Table, Task
from broker.errors import NotPermittedError, RejectError, UnreadableRecordError
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import sender_of, signed_by
from broker.stream.intake import RegistersSource
from broker.stream.topics import RECEIPTS, SUBJECTS


@dataclass(frozen=True, slots=True)
class Deliver:
    """The stage `deliver`."""

    secrets: Secrets
    registers: RegistersSource
    name: str = "deliver"
    inputs: tuple[str, ...] = (RECEIPTS,)
    state_topics: tuple[str, ...] = ()

    def open(self, partition: int, tables: Mapping[str, Table]) -> Task:  # noqa: ARG002 - the port's signature
        """Take a partition up; there is nothing to load."""
        return _DeliverTask(self.secrets, self.registers)


@dataclass(frozen=True, slots=True)
class _DeliverTask:
    secrets: Secrets
    registers: RegistersSource

    def step(self, record: Record, effects: Effects) -> None:
        """Check one receipt and pass it on to its child's line; raises RejectError with the reason when it does not count."""
        try:
            self._take(record, effects)
        except RejectError as error:
            error.sender = sender_of(self.registers.newest(), record, record.key)  # a receipt's key is what is signed as its id
            raise

    def _take(self, record: Record, effects: Effects) -> None:
        if record.value is None:
            raise UnreadableRecordError("receipt has no value")
        receipt = codec.decode("receipt", record.value)
        key = signed_by(self.registers.newest(), record, receipt["disclosure_id"])
        if key.holder != receipt["recipient"]:
            raise NotPermittedError(f"key `{key.id}` belongs to `{key.holder}`, which cannot answer for another recipient")
        child_ref, disclosure_id, recipient, _ = self.secrets.open_token(receipt["token"])
        if (disclosure_id, recipient) != (receipt["disclosure_id"], receipt["recipient"]):
            raise NotPermittedError(f"the token sent by `{key.holder}` is that of another disclosure")
        place = Position(f"{record.topic}/{record.partition}", record.offset)
        value = codec.encode("subject_record", {"kind": "RECEIPT", "child_ref": child_ref, "receipt": record.value})
        effects.outputs.append(Outgoing(SUBJECTS, child_ref.encode(), value, ((CAUSE, bytes(place)),)))

    def due(self, now: int) -> Iterable[Outgoing]:  # noqa: ARG002 - the port's signature
        """Return nothing: there are no timers."""
        return ()
