"""Who may release policy and registers (I10): an administrator of the registers in force, not everybody who can write there."""

import base64
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest

from broker.core.model.ports import Record
from broker.core.model.registers import ADMINISTRATOR
from broker.errors import KeysError, ReleaseRefusedError, RetryError
from broker.policyfile import policy_from_content
from broker.registerfile import load_content, registers_from_content
from broker.sealing.signatures import Signer
from broker.stream.releases.belief import Belief, check_administrator, release_id
from broker.stream.releases.book import Kind, Release, ReleaseBook, encode_release
from broker.stream.topics import POLICIES, REGISTERS
from tests.stream.lines import a_signer

FIRST, SECOND, POLICE, STRANGER = a_signer(ADMINISTRATOR), a_signer("administrator:deputy"), a_signer("police:42"), a_signer("x")
TOPIC = {"registers": REGISTERS, "policy": POLICIES}


def some_registers(version: str, *keys: tuple[str, Signer] | Signer) -> bytes:
    """Registers of one area in canonical form; a key is its holder's own unless another holder is named for it."""
    text = f'version = "{version}"\n[[area]]\nid = "E1"\nname = "Esk"\nhub = "hub"\n'
    for agency, sector in (("E1", "COUNCILS"), ("police:42", "POLICE")):
        text += f'[[agency]]\nid = "{agency}"\nname = "{agency}"\nsector = "{sector}"\narea = "E1"\n'
    text += '[[recipient]]\nid = "hub"\nname = "Hub"\nagency = "E1"\narea = "E1"\nroles = ["hub"]\n'
    for one in keys:
        holder, signer = one if isinstance(one, tuple) else (one.holder, one)
        public = base64.b64encode(signer.public_key).decode()
        text += f'[[key]]\nid = "{signer.key_id}"\nholder = "{holder}"\npublic_key = "{public}"\n'
    file = _folder / f"{version}.toml"
    file.write_text(text)
    return load_content(file)


_folder = Path()


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "_folder", tmp_path)


class Log:
    """The two topics, written by whoever can write there; each record is a second later than the one before."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, topic: str, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> Record:
        offset = sum(one.topic == topic for one in self.records)
        record = Record(topic, 0, offset, 1_000 * (len(self.records) + 1), b"", value, tuple(headers))
        self.records.append(record)
        return record

    def release(self, of: Kind, version: str, content: bytes, signer: Signer | None, *, made: int | None = None) -> Release:
        released = Release(of, version, content, made if made is not None else 1_000 * (len(self.records) + 1))
        value = encode_release(released)
        self.write(TOPIC[of], value, signer.headers(TOPIC[of], value, release_id(released)) if signer else ())
        return released

    def registers(self, version: str, *keys: tuple[str, Signer] | Signer, by: Signer | None) -> Release:
        return self.release("registers", version, some_registers(version, *keys), by)

    def policy(self, version: str, *, by: Signer | None) -> Release:
        return self.release("policy", version, f'{{"version":"{version}"}}'.encode(), by)

    def read(self) -> ReleaseBook:
        """Read all of it at once, as a place does that begins."""
        book = ReleaseBook(policy_from_content)
        Belief(book).take(self.records)
        return book


def versions(book: ReleaseBook, of: Kind) -> list[str]:
    return [one.version for one in book.all(of)]


def started() -> Log:
    log = Log()
    log.registers("1", FIRST, POLICE, by=FIRST)
    log.policy("1", by=FIRST)
    return log


def test_the_first_registers_name_the_administrator_who_signed_them() -> None:
    book = started().read()

    assert (versions(book, "registers"), versions(book, "policy"), book.refused) == (["1"], ["1"], 0)


def test_who_can_write_there_cannot_add_a_key_of_its_own_as_an_agencys() -> None:
    """The attack: a raw client of somebody that may write to `registers.v1` would be able to speak as the police."""
    log = started()
    for by in (None, STRANGER, POLICE):
        log.registers(f"mine-{by and by.holder}", FIRST, ("police:42", STRANGER), by=by)

    book = log.read()

    assert (versions(book, "registers"), STRANGER.key_id in book.newest().keys) == (["1"], False)
    reasons = ["record is not signed", "signing key is not in the registers", "belongs to `police:42`, who is no administrator"]
    for at, (reason, refusal) in enumerate(zip(reasons, book.refusals, strict=True), 1):
        assert refusal.startswith(f"`registers.v1` offset {at} is no release: ")
        assert reason in refusal


def test_a_key_that_somebody_made_in_the_administrators_name_opens_nothing() -> None:
    """The release names it as the administrator's itself: only what was in force before can vouch for it."""
    log = started()
    log.registers("2", (ADMINISTRATOR, STRANGER), by=STRANGER)

    assert versions(log.read(), "registers") == ["1"]


def test_rules_of_somebody_else_are_refused_and_asked_for_are_no_version() -> None:
    log = started()
    foreign = log.policy("2", by=POLICE)

    book = log.read()

    assert versions(book, "policy") == ["1"]
    assert book.refuses("policy", foreign.digest)
    with pytest.raises(ReleaseRefusedError, match="no administrator signed it"):
        book.content("policy", foreign.digest)


def test_a_copy_that_nobody_signed_does_not_spoil_the_true_one() -> None:
    log = started()
    log.policy("2", by=None)
    true = log.policy("2", by=FIRST)

    book = log.read()

    assert not book.refuses("policy", true.digest)
    assert versions(book, "policy") == ["1", "2"]


def test_another_administrator_comes_and_the_first_goes_by_a_release_that_one_in_force_signed() -> None:
    log = started()
    log.registers("2", FIRST, SECOND, by=FIRST)
    log.registers("3", SECOND, by=SECOND)
    late = log.policy("2", by=FIRST)
    log.policy("3", by=SECOND)

    book = log.read()

    assert versions(book, "registers") == ["1", "2", "3"]
    assert versions(book, "policy") == ["1", "3"], (
        "what the first signed while in force stays; what it signed afterwards is refused"
    )
    assert book.refuses("policy", late.digest)


def test_every_place_believes_the_same_whenever_it_began_to_read_and_whichever_topic_came_first() -> None:
    log = started()
    log.registers("2", FIRST, SECOND, by=FIRST)
    log.policy("2", by=SECOND)
    log.registers("3", SECOND, by=SECOND)
    log.policy("3", by=FIRST)
    whole, one_by_one, topic_by_topic = log.read(), ReleaseBook(policy_from_content), ReleaseBook(policy_from_content)
    belief = Belief(one_by_one)

    for record in log.records:
        belief.take([record])
    Belief(topic_by_topic).take(sorted(log.records, key=lambda one: (one.topic, one.offset)))

    for book in (one_by_one, topic_by_topic):
        assert versions(book, "policy") == versions(whole, "policy") == ["1", "2"]
        assert book.refusals == whole.refusals


def test_an_old_release_that_somebody_sends_again_does_not_come_back() -> None:
    """Signed it is; but what replaced it stays in force."""
    log = Log()
    log.registers("1", FIRST, POLICE, by=FIRST)
    log.registers("2", FIRST, by=FIRST)
    first = log.records[0]
    log.write(first.topic, first.value, first.headers)

    latest = log.read().latest("registers")

    assert latest is not None
    assert latest.version == "2"


def test_a_version_goes_back_into_force_when_an_administrator_signs_it_anew() -> None:
    log = started()
    log.policy("2", by=FIRST)
    log.policy("1", by=FIRST)

    latest = log.read().latest("policy")

    assert latest is not None
    assert latest.version == "1"


@pytest.mark.parametrize("value", [None, b"", b"anything", b"\x00\x00\x00\x00\x01"])
def test_what_is_no_release_at_all_stops_nobody(value: bytes | None) -> None:
    log = Log()
    log.write(REGISTERS, value)
    log.registers("1", FIRST, by=FIRST)
    log.write(POLICIES, value)
    log.policy("1", by=FIRST)

    book = log.read()

    assert (versions(book, "registers"), versions(book, "policy"), book.refused) == (["1"], ["1"], 2)


def test_however_much_somebody_writes_there_little_of_it_is_kept() -> None:
    log = started()
    for _ in range(200):
        log.write(REGISTERS, b"anything")

    book = log.read()

    assert (book.refused, len(book.refusals)) == (200, 50)


def test_a_signature_holds_for_its_own_topic_and_its_own_kind() -> None:
    log = started()
    moved = log.records[0]
    log.write(POLICIES, moved.value, moved.headers)
    strange = Release("policy", "2", b"{}", 9_000)
    value = encode_release(strange)
    log.write(REGISTERS, value, FIRST.headers(REGISTERS, value, release_id(strange)))

    book = log.read()

    assert (versions(book, "registers"), versions(book, "policy"), book.refused) == (["1"], ["1"], 2)


def test_a_policy_before_all_registers_has_nobody_to_vouch_for_it() -> None:
    log = Log()
    log.policy("1", by=FIRST)
    log.registers("1", FIRST, by=FIRST)

    assert versions(log.read(), "policy") == []


def test_registers_after_which_nobody_could_release_anything_are_refused() -> None:
    log = started()
    log.registers("2", POLICE, by=FIRST)

    assert versions(log.read(), "registers") == ["1"]


def test_who_releases_is_told_beforehand_that_nobody_would_believe_it() -> None:
    registers = registers_from_content(some_registers("1", FIRST, POLICE))

    check_administrator(registers, FIRST, "this file")
    for signer in (SECOND, POLICE, STRANGER):
        with pytest.raises(KeysError, match="no administrator's in this file: every place would refuse what it signs"):
            check_administrator(registers, signer, "this file")


def test_the_order_of_reading_within_a_time_does_not_matter() -> None:
    """At one instant of Kafka's clock the registers come before the policy that goes by them."""
    log = Log()
    log.registers("1", FIRST, by=FIRST)
    log.policy("1", by=FIRST)
    at_once = [Record(one.topic, 0, one.offset, 7_000, b"", one.value, one.headers) for one in log.records]

    for order in permutations(at_once):
        book = ReleaseBook(policy_from_content)
        Belief(book).take(order)
        assert versions(book, "policy") == ["1"]


class Older(Log):
    """The log of a place where an older version of this software released, which signed nothing, and named no administrator."""

    def __init__(self) -> None:
        super().__init__()
        self.old = (self.registers("old", POLICE, by=None), self.policy("old", by=None))
        self.said: list[str] = []

    def believed(self) -> ReleaseBook:
        book = ReleaseBook(policy_from_content)
        self.said.clear()
        Belief(book, self.said.append).take(self.records)
        return book


def test_what_an_older_version_released_unsigned_is_said_once_and_with_what_to_do() -> None:
    log = Older()
    log.policy("older", by=None)

    book = log.believed()

    assert book.unsigned()[:2] == log.old
    (said,) = log.said
    assert "3 of the releases in `registers.v1` and `policies.v1` nobody signed" in said
    assert "release the registers anew with an administrator's key in them, then see `broker registers vouch`" in said
    with pytest.raises(RetryError, match="see `broker registers vouch`"):
        book.newest()
    with pytest.raises(ReleaseRefusedError, match="see `broker registers vouch`"):
        book.registers(log.old[0].digest)


def test_what_an_administrator_vouches_for_is_known_again_and_comes_into_force_nowhere() -> None:
    log = Older()
    log.registers("new", FIRST, POLICE, by=FIRST)
    log.policy("new", by=FIRST)
    for one in log.old:
        value = encode_release(one)
        log.write(TOPIC[one.of], value, FIRST.headers(TOPIC[one.of], value, release_id(one)))

    book = log.believed()

    assert book.registers(log.old[0].digest).version == "old"
    assert book.content("policy", log.old[1].digest) == log.old[1].content
    assert [book.latest("registers").version, book.latest("policy").version] == ["new", "new"]  # type: ignore[union-attr]  # released above
    assert (book.unsigned(), log.said) == ((), [])


@pytest.mark.parametrize("by", [None, POLICE, STRANGER])
def test_nobody_but_an_administrator_vouches_for_what_stands_unsigned(by: Signer | None) -> None:
    log = Older()
    log.registers("new", FIRST, POLICE, by=FIRST)
    log.policy("new", by=FIRST)
    (old, _), value = log.old, encode_release(log.old[0])
    log.write(REGISTERS, value, by.headers(REGISTERS, value, release_id(old)) if by else ())

    assert log.believed().refuses("registers", old.digest)


def test_an_administrator_brings_back_nothing_that_did_not_stand_there_unsigned() -> None:
    """Made before the one in force, and never written until now: it would be a version that nobody saw."""
    log = started()
    log.release("policy", "0", b'{"version":"0"}', FIRST, made=1)

    assert versions(log.read(), "policy") == ["1"]
