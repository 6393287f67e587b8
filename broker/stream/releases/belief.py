"""Which records of `policies.v1` and `registers.v1` are releases: those that an administrator signed (I10).

An administrator's key stands in the registers, and the next version may bring another. The first release vouches for itself:
whoever sets a place up makes it before anybody else can write there, and the registers in force stand at every later place. A
record that anybody else wrote is refused in words, and what was in force stays. Every reader of the log judges alike: each
record under the registers that were released before it, by Kafka's time.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from broker.core.model.ports import Record
from broker.core.model.registers import Registers, is_administrator
from broker.errors import KeysError, RegistersError, RejectError, SignatureError, UnreadableRecordError
from broker.registerfile import registers_from_content
from broker.sealing.signatures import SIGNATURE_HEADER, Signer, signed_by
from broker.stream.releases.book import Kind, Release, ReleaseBook, decode_release
from broker.stream.topics import POLICIES, REGISTERS

TOPIC_OF: dict[str, str] = {"policy": POLICIES, "registers": REGISTERS}

Say = Callable[[str], None]


def say_nothing(refusal: str) -> None:
    """Leave it to whoever looks at the book's `refusals`."""


@dataclass(slots=True)
class Belief:
    """Judges records and enters the releases into a book; says of every other why it is none."""

    book: ReleaseBook
    say: Say = say_nothing
    _registers: list[tuple[int, Registers]] = field(default_factory=list)  # released, and when by Kafka's time
    _time: dict[str, int] = field(default_factory=dict)
    _older: int = 0  # refused, and not said yet

    def take(self, records: Iterable[Record]) -> None:
        """Judge records, those of one topic in the order of their log; registers come first where the time is the same."""
        timed = [(self._at(record), record.topic != REGISTERS, record.offset, record) for record in records]
        for at, *_, record in sorted(timed, key=lambda one: one[:3]):
            self._judge(record, at)
        if self._older and self.book.unsigned():
            self.say(older_releases(self.book))
        self._older = 0

    def _at(self, record: Record) -> int:
        """Return the time of a record; within one topic it never goes back, even where a clock of Kafka's does."""
        self._time[record.topic] = at = max(record.timestamp, self._time.get(record.topic, 0))
        return at

    def _judge(self, record: Record, at: int) -> None:
        release = None
        try:
            release = _read(record)
            if self._is_repeat(release):
                return
            comes_into_force = self._check(release, record, at)
        except (RejectError, RegistersError) as error:
            refusal = f"`{record.topic}` offset {record.offset} is no release: {error}: what was in force stays"
            unsigned = record.header(SIGNATURE_HEADER) is None
            self.book.refuse(release, refusal, unsigned=unsigned)
            if release is not None and unsigned and not self._registers:
                self._older += 1  # nobody could sign yet: said once, and with what to do, not for each
            else:
                self.say(refusal)
            return
        if not comes_into_force:
            self.book.know(release)
            return
        self.book.enter(release)
        if release.of == "registers":
            self._registers.append((at, self.book.registers(release.digest)))

    def _is_repeat(self, release: Release) -> bool:
        """Tell whether this was released before: sent twice, or sent again later by somebody who cannot sign a new one."""
        latest = self.book.latest(release.of)
        return latest is not None and release.released_at <= latest.released_at and self.book.holds(release.of, release.digest)

    def _check(self, release: Release, record: Record, at: int) -> bool:
        """Check who released it, and tell whether it comes into force; raises SignatureError.

        What stands there unsigned from before, an administrator may sign as it is: it is known then, and in force nowhere anew.
        """
        own = registers_from_content(release.content) if release.of == "registers" else None
        vouching = next((registers for then, registers in reversed(self._registers) if then <= at), own)
        if vouching is None:
            raise SignatureError("no registers are in force that name an administrator: release them before the policy")
        key = signed_by(vouching, record, release_id(release))
        if not is_administrator(key.holder):
            raise SignatureError(f"key `{key.id}` belongs to `{key.holder}`, who is no administrator")
        latest = self.book.latest(release.of)
        if latest is not None and release.released_at <= latest.released_at:
            if release in self.book.unsigned():
                return False
            raise SignatureError("it was made before the one in force")
        if own is not None:
            check_not_last(own)
        return True


def older_releases(book: ReleaseBook) -> str:
    """Say that releases stand there that nobody signed, and what to do."""
    found = book.unsigned()
    first = "" if book.latest("registers") else " release the registers anew with an administrator's key in them, then"
    return (
        f"{len(found)} of the releases in `{REGISTERS}` and `{POLICIES}` nobody signed, as an older version of this software "
        f"wrote them: they count for nothing: if they are yours:{first} see `broker registers vouch`"
    )


def release_id(release: Release) -> str:
    """Return what a release is signed as: the key of its record."""
    return f"{release.of}:{release.version}:{release.digest}"


def check_not_last(registers: Registers) -> None:
    """Check that registers name an administrator, so that there can be a release after them; raises SignatureError."""
    if not any(is_administrator(key.holder) and key.until is None for key in registers.keys.values()):
        raise SignatureError("they hold no administrator's key, or one that ends: nobody could release anything after them")


def check_administrator(registers: Registers, signer: Signer, where: str) -> None:
    """Check before a release that it would be believed; raises KeysError."""
    key, now = registers.keys.get(signer.key_id), time.time_ns() // 1_000_000
    in_force = key is not None and key.since <= now and (key.until is None or now < key.until)
    if not in_force or not is_administrator(signer.holder):
        raise KeysError(
            f"the key of `{signer.holder}` is no administrator's in {where}: every place would refuse what it signs: make one "
            "with `broker keys new administrator`, and release its entry in the registers with a key that is in force"
        )


def _read(record: Record) -> Release:
    if record.value is None:
        raise UnreadableRecordError("it has no value")
    release = decode_release(record.value)
    if TOPIC_OF.get(release.of) != record.topic:
        raise UnreadableRecordError(f"it is of {release.of}, which is released elsewhere")
    return release


__all__ = [
    "TOPIC_OF",
    "Belief",
    "Kind",
    "Say",
    "check_administrator",
    "check_not_last",
    "older_releases",
    "release_id",
    "say_nothing",
]
