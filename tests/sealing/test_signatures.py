"""Who said it: a signature binds topic, id and value to a key that is in force (I10)."""

import dataclasses
from pathlib import Path

import pytest

from broker.core.model.identifiers import Digest, Millis
from broker.core.model.ports import Record
from broker.core.model.registers import Registers, SigningKey
from broker.errors import KeysError, SignatureError
from broker.sealing.signatures import Signer, load_signer, new_key, signed_by, signing_input, verify


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(tmp_path, "urn:100001")


def entry(signer: Signer, since: int = 0, until: int | None = None) -> SigningKey:
    end = None if until is None else Millis(until)
    return SigningKey(id=signer.key_id, holder=signer.holder, public_key=signer.public_key, since=Millis(since), until=end)


def registers(*keys: SigningKey) -> Registers:
    found = {key.id: key for key in keys}
    return Registers(version="1", digest=Digest(""), agencies={}, keys=found, recipients={}, areas={})


def test_what_was_signed_verifies_and_nothing_else_does(signer: Signer) -> None:
    message = signing_input("events.schools.v1", b"value", "id-1")
    signature = signer.sign(message)

    verify(entry(signer), message, signature, 5)
    for other in (
        signing_input("events.police.v1", b"value", "id-1"),
        signing_input("events.schools.v1", b"valuE", "id-1"),
        signing_input("events.schools.v1", b"value", "id-2"),
    ):
        with pytest.raises(SignatureError, match="does not verify"):
            verify(entry(signer), other, signature, 5)


@pytest.mark.parametrize(("at", "fits"), [(9, False), (10, True), (19, True), (20, False)])
def test_a_key_signs_only_while_it_is_in_force(signer: Signer, at: int, fits: bool) -> None:
    message = b"message"
    if fits:
        verify(entry(signer, 10, 20), message, signer.sign(message), at)
        return
    with pytest.raises(SignatureError, match="not in force"):
        verify(entry(signer, 10, 20), message, signer.sign(message), at)


def test_a_record_is_signed_by_a_registered_key_or_refused(signer: Signer) -> None:
    headers = signer.headers("events.schools.v1", b"value", "id-1")
    record = Record("events.schools.v1", 0, 1, 5, b"k", b"value", headers)

    assert signed_by(registers(entry(signer)), record, "id-1").holder == "urn:100001"
    with pytest.raises(SignatureError, match="not in the registers"):
        signed_by(registers(), record, "id-1")
    with pytest.raises(SignatureError, match="not signed"):
        signed_by(registers(entry(signer)), dataclasses.replace(record, headers=()), "id-1")
    with pytest.raises(SignatureError, match="does not verify"):
        signed_by(registers(entry(signer)), dataclasses.replace(record, value=b"other"), "id-1")


def test_a_key_is_loaded_again_from_its_file_and_never_replaced(tmp_path: Path, signer: Signer) -> None:
    again = load_signer(tmp_path, "urn:100001")

    assert (again.key_id, again.sign(b"x")) == (signer.key_id, signer.sign(b"x"))
    assert (tmp_path / "urn_100001.keys").stat().st_mode & 0o077 == 0
    with pytest.raises(KeysError, match="is there already"):
        new_key(tmp_path, "urn:100001")


def test_the_private_key_is_in_no_representation(tmp_path: Path, signer: Signer) -> None:
    assert "PrivateKey" not in repr(signer)
    assert "_key" not in repr(signer)


@pytest.mark.parametrize("holder", ["../evil", "", "a b", "x/y", ".hidden"])
def test_a_holders_name_cannot_leave_the_folder(tmp_path: Path, holder: str) -> None:
    with pytest.raises(KeysError, match="cannot be a holder"):
        new_key(tmp_path, holder)


def test_no_two_holders_share_a_file(tmp_path: Path) -> None:
    names = ["urn:100001", "urn_100001", "urn:_1", "urn_:1", "urn__1", "urn::1"]
    made = {name: new_key(tmp_path, name).key_id for name in names}

    assert {name: load_signer(tmp_path, name).key_id for name in names} == made
    with pytest.raises(KeysError, match="master key"):
        new_key(tmp_path, "broker")


def test_another_holders_key_file_is_not_taken(tmp_path: Path, signer: Signer) -> None:
    (tmp_path / "urn_100001.keys").rename(tmp_path / "urn_100002.keys")

    with pytest.raises(KeysError, match="another holder"):
        load_signer(tmp_path, "urn:100002")
    with pytest.raises(
        KeysError, match="see that `urn:100003` is spelt as in the registers; then make one with `broker keys new urn:100003`"
    ):
        load_signer(tmp_path, "urn:100003")


def test_a_record_key_keeps_one_record_together_and_says_nothing_of_it(tmp_path: Path, signer: Signer) -> None:
    other = new_key(tmp_path / "other", "urn:100001")

    assert signer.record_key("upn:1") == signer.record_key("upn:1") != signer.record_key("upn:2")
    assert b"upn" not in signer.record_key("upn:1")
    assert signer.record_key("upn:1") != other.record_key("upn:1")
