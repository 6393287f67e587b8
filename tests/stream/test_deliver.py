"""A receipt counts only when its recipient signed it for the disclosure that it was sent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker import codec
from broker.core.model.identifiers import ChildRef, DisclosureId, EventId
from broker.core.model.ports import CAUSE, Effects, Outgoing, Position, Record
from broker.core.model.registers import Registers, SigningKey
from broker.errors import NotPermittedError, RejectError, SignatureError, UnreadableRecordError
from broker.sealing.signatures import Signer, new_key
from broker.stream.deliver import Deliver
from broker.stream.receipt import Answer, signed_receipt
from broker.stream.topics import RECEIPTS, SUBJECTS
from tests.stream.lines import CHILD, GP, NOW, SCHOOL, SECRETS, ALine, an_event, on_roll, some_registers


class Newest:
    def __init__(self, registers: Registers) -> None:
        self.registers = registers

    def newest(self) -> Registers:
        return self.registers


@pytest.fixture
def school(tmp_path: Path) -> Signer:
    return new_key(tmp_path, SCHOOL)


def taken(outgoing: Outgoing, *signers: Signer) -> list[Outgoing]:
    keys = [SigningKey(id=one.key_id, holder=one.holder, public_key=one.public_key) for one in signers]
    registers = replace(some_registers(), keys={one.id: one for one in keys})
    task = Deliver(SECRETS, Newest(registers)).open(0, {})
    effects = Effects()
    record = Record(RECEIPTS, 3, 17, NOW, outgoing.key, outgoing.value, outgoing.headers)
    try:
        task.step(record, effects)
    except RejectError:
        assert effects == Effects()
        raise
    return effects.outputs


def a_disclosure() -> dict[str, Any]:
    return ALine().take(on_roll(), an_event()).disclosures(SCHOOL)[0]


def test_a_receipt_goes_to_the_line_of_its_child(school: Signer) -> None:
    told = a_disclosure()
    (sent,) = taken(
        signed_receipt(school, Answer(disclosure_id=told["disclosure_id"], token=told["token"], state="READ", said_at=NOW)),
        school,
    )

    assert (sent.topic, sent.key) == (SUBJECTS, CHILD.encode())
    assert dict(sent.headers)[CAUSE] == bytes(Position("receipts.v1/3", 17))
    assert codec.decode("receipt", codec.decode("subject_record", sent.value or b"")["receipt"])["state"] == "READ"


def test_a_receipt_signed_by_nobody_known_is_refused(school: Signer) -> None:
    told = a_disclosure()

    with pytest.raises(SignatureError):
        taken(signed_receipt(school, Answer(disclosure_id=told["disclosure_id"], token=told["token"], state="READ", said_at=NOW)))


def test_nobody_answers_for_another_recipient(school: Signer, tmp_path: Path) -> None:
    told = a_disclosure()
    doctor = new_key(tmp_path, GP)
    forged = replace(doctor, holder=SCHOOL)

    with pytest.raises(NotPermittedError, match="cannot answer for another"):
        taken(
            signed_receipt(forged, Answer(disclosure_id=told["disclosure_id"], token=told["token"], state="READ", said_at=NOW)),
            doctor,
        )


def test_a_token_of_another_disclosure_is_refused(school: Signer) -> None:
    told = a_disclosure()
    other = SECRETS.seal_token(ChildRef("c-other"), DisclosureId("d-other"), SCHOOL, EventId("e"))

    with pytest.raises(NotPermittedError, match="another disclosure"):
        taken(signed_receipt(school, Answer(disclosure_id=told["disclosure_id"], token=other, state="READ", said_at=NOW)), school)


def test_a_token_that_the_broker_did_not_seal_is_refused(school: Signer) -> None:
    with pytest.raises(UnreadableRecordError):
        taken(
            signed_receipt(school, Answer(disclosure_id="d-1", token=b"made up token of some length", state="READ", said_at=NOW)),
            school,
        )


def test_a_changed_receipt_is_refused(school: Signer) -> None:
    told = a_disclosure()
    sent = signed_receipt(school, Answer(disclosure_id=told["disclosure_id"], token=told["token"], state="READ", said_at=NOW))
    acted = signed_receipt(school, Answer(disclosure_id=told["disclosure_id"], token=told["token"], state="ACTED", said_at=NOW))

    with pytest.raises(SignatureError):
        taken(replace(sent, value=acted.value), school)
