"""Keyed hashes, pseudonyms and sealed bytes: the same for the same master key, of no use without it."""

import base64
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.model.identifiers import ChildRef, Digest, DisclosureId, EventId, RecipientId
from broker.errors import KeysError, UnreadableRecordError
from broker.sealing.reviews import open_event, review_id, seal_event
from broker.sealing.secrets import Secrets, new_master

MINE, OTHER = Secrets.from_master(b"m" * 32), Secrets.from_master(b"o" * 32)


def test_the_same_master_key_gives_the_same_results_and_another_gives_others() -> None:
    again = Secrets.from_master(b"m" * 32)

    assert MINE.matching_key("2015-03-02") == again.matching_key("2015-03-02")
    assert MINE.matching_key("2015-03-02") != OTHER.matching_key("2015-03-02")


def test_each_purpose_has_its_own_hash_and_its_own_beginning() -> None:
    child = MINE.child_ref("m-x", EventId("e"))
    results = [
        MINE.matching_key("x"),
        MINE.identifier_hash("nhs_number", "x"),
        child,
        MINE.pseudonym(RecipientId("r"), child),
        MINE.disclosure_id(EventId("e"), RecipientId("r"), Digest("d"), 1),
    ]

    assert [one[:2] for one in results] == ["m-", "i-", "c-", "p-", "d-"]
    assert len({one[2:] for one in results}) == 5


@given(st.text())
def test_a_hash_is_written_in_lower_case_base32(birth_date: str) -> None:
    found = hmac.digest(MINE._keys["matching"], birth_date.encode(), "sha256")[:20]

    assert MINE.matching_key(birth_date) == "m-" + base64.b32encode(found).decode().lower()


def test_two_recipients_cannot_join_their_pseudonyms() -> None:
    assert MINE.pseudonym(RecipientId("a"), ChildRef("c-1")) != MINE.pseudonym(RecipientId("b"), ChildRef("c-1"))


def test_spaces_and_case_of_an_identifier_make_no_difference_its_issuer_does() -> None:
    assert MINE.identifier_hash("nhs_number", "943 476 5919") == MINE.identifier_hash("nhs_number", "9434765919")
    assert MINE.identifier_hash("mrn", "a1", "ods:RXX01") == MINE.identifier_hash("mrn", "A1", "ods:RXX01")
    assert MINE.identifier_hash("mrn", "A1", "ods:RXX01") != MINE.identifier_hash("mrn", "A1", "ods:RYY01")


def test_parts_cannot_run_into_each_other() -> None:
    assert MINE.identifier_hash("mrn", "1", "2") != MINE.identifier_hash("mrn", "12", "")


def test_a_return_address_opens_only_at_the_broker_that_made_it() -> None:
    token = MINE.seal_token(ChildRef("c-1"), DisclosureId("d-1"), RecipientId("dsl"), EventId("e-1"))

    assert MINE.open_token(token) == ("c-1", "d-1", "dsl", "e-1")
    assert b"c-1" not in token
    for wrong in (token[:-1] + b"x", b"", b"short"):
        with pytest.raises(UnreadableRecordError):
            MINE.open_token(wrong)
    with pytest.raises(UnreadableRecordError):
        OTHER.open_token(token)


@given(plain=st.binary(max_size=500), context=st.binary(max_size=20))
def test_sealed_bytes_are_the_same_every_time_and_bound_to_child_and_context(plain: bytes, context: bytes) -> None:
    sealed = MINE.seal("c-1", context, plain)

    assert sealed == MINE.seal("c-1", context, plain)
    assert MINE.open("c-1", context, sealed) == plain
    for child, bound in (("c-2", context), ("c-1", context + b"x")):
        with pytest.raises(UnreadableRecordError):
            MINE.open(child, bound, sealed)


def test_the_event_of_a_review_opens_under_that_review_alone() -> None:
    first, second = review_id("police:42", "e-1"), review_id("police:42", "e-2")
    sealed = seal_event(MINE, first, b"event")

    assert open_event(MINE, first, sealed) == b"event"
    with pytest.raises(UnreadableRecordError):
        open_event(MINE, second, sealed)


def test_a_master_key_is_made_once_for_its_owner_alone_and_loaded_from_file_or_folder(tmp_path: Path) -> None:
    file = new_master(tmp_path / "keys")

    assert file.stat().st_mode & 0o077 == 0
    assert Secrets.load(file).matching_key("x") == Secrets.load(file.parent).matching_key("x")
    with pytest.raises(KeysError, match="is there already"):
        new_master(tmp_path / "keys")


@pytest.mark.parametrize(
    ("text", "mode", "word"),
    [
        (None, 0, "not there: copy it from where a worker runs; for a new broker make it"),
        ("nonsense", 0o600, "not a broker's master key"),
        ("anything", 0o604, "everybody"),
    ],
)
def test_a_file_that_is_no_master_key_is_named_with_what_to_do(tmp_path: Path, text: str | None, mode: int, word: str) -> None:
    file = tmp_path / "broker.keys"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)

    with pytest.raises(KeysError, match=word):
        Secrets.load(file)
