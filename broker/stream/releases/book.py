"""Every version of the policy and the registers that was released, by digest; knows no Kafka client.

All versions are kept for ever: a decision names the digests it was made by, and a replay finds them here.
"""

import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from broker import codec
from broker.core.model.identifiers import Digest, digest
from broker.core.model.policy import Policy
from broker.core.model.registers import Registers
from broker.errors import ReleaseRefusedError, RetryError, UnreadableRecordError
from broker.registerfile import registers_from_content

Kind = Literal["policy", "registers"]
_KINDS: dict[str, Kind] = {"policy": "policy", "registers": "registers"}
_TOLD = 50  # refusals kept in words: who can write there could write any number
OLDER = "what stands there unsigned, an older version of this software may have written: see `broker registers vouch`"
_LARGEST = 64 * 1024 * 1024  # bytes of canonical form; more is not a release


@dataclass(frozen=True, slots=True)
class Release:
    """One version of the policy or the registers. `content` is its canonical form, `digest` the SHA-256 of that."""

    of: Kind
    version: str
    content: bytes
    released_at: int = 0
    signed_by: tuple[str, ...] = ()
    digest: Digest = field(init=False)  # made once: every event asks for it, and the registers of a county are long

    def __post_init__(self) -> None:
        """Work out the address of this version."""
        object.__setattr__(self, "digest", digest(self.content))


def encode_release(release: Release) -> bytes:
    """Write a release in wire format."""
    message = {
        "of": release.of,
        "version": release.version,
        "digest": release.digest,
        "released_at": release.released_at,
        "signed_by": list(release.signed_by),
        "content": zlib.compress(release.content, 6),
    }
    return codec.encode("release", message)


def decode_release(value: bytes) -> Release:
    """Read a release; raises UnreadableRecordError when its content is not what its digest says."""
    message = codec.decode("release", value)
    opener = zlib.decompressobj()
    try:
        content = opener.decompress(message["content"], _LARGEST)
    except zlib.error:
        raise UnreadableRecordError(f"release `{message['version']}` of {message['of']}: content does not decompress") from None
    if opener.unconsumed_tail or digest(content) != message["digest"]:
        raise UnreadableRecordError(f"release `{message['version']}` of {message['of']}: content is not what its digest says")
    return Release(_kind(message["of"]), message["version"], content, message["released_at"], tuple(message["signed_by"]))


def _kind(of: str) -> Kind:
    if of not in _KINDS:
        raise UnreadableRecordError("release of neither policy nor registers")
    return _KINDS[of]


@dataclass(slots=True)
class ReleaseBook:
    """The releases seen so far. A digest that is not here may still come: whoever needs it waits and tries again.

    `read_policy` makes a policy of its canonical form.
    """

    read_policy: Callable[[bytes], Policy]
    _releases: dict[tuple[str, Digest], Release] = field(default_factory=dict)
    _latest: dict[str, Release] = field(default_factory=dict)
    _policies: dict[Digest, Policy] = field(default_factory=dict)
    _registers: dict[Digest, Registers] = field(default_factory=dict)
    _refused: set[tuple[str, Digest]] = field(default_factory=set)
    refused: int = 0  # records that somebody wrote where releases stand
    refusals: deque[str] = field(default_factory=lambda: deque(maxlen=_TOLD))  # why the last of them are none
    _unsigned: dict[tuple[str, Digest], Release] = field(default_factory=dict)  # the first of them that nobody signed

    def enter(self, release: Release) -> None:
        """Keep a release that somebody judged to be one; it is the latest now."""
        self.know(release)
        self._latest[release.of] = release

    def know(self, release: Release) -> None:
        """Keep a version that was in force once and is none to come: what was decided by it can be told and repeated."""
        self._releases[release.of, release.digest] = release
        self._unsigned.pop((release.of, release.digest), None)

    def refuse(self, release: Release | None, why: str, *, unsigned: bool = False) -> None:
        """Keep in mind what was judged to be no release; `unsigned`: because nobody signed it, and not because of who did."""
        if release is not None:
            name = release.of, release.digest
            self._refused.add(name)
            if unsigned and not self.holds(*name) and len(self._unsigned) < _TOLD:
                self._unsigned[name] = release
        self.refused += 1
        self.refusals.append(why)

    def unsigned(self) -> tuple[Release, ...]:
        """Return what stands where releases stand and nobody signed, as older versions of this software wrote them."""
        return tuple(self._unsigned.values())

    def refuses(self, of: str, wanted: Digest) -> bool:
        """Tell whether a version was written by somebody who may not release, and by nobody who may."""
        return (of, wanted) in self._refused and not self.holds(of, wanted)

    def holds(self, of: str, wanted: Digest) -> bool:
        """Tell whether a version is here."""
        return (of, wanted) in self._releases

    def latest(self, of: Kind) -> Release | None:
        """Return the version released last; None when there is none."""
        return self._latest.get(of)

    def all(self, of: Kind) -> tuple[Release, ...]:
        """Return every version, in the order in which they were first released."""
        return tuple(release for (kind, _), release in self._releases.items() if kind == of)

    def content(self, of: Kind, wanted: Digest) -> bytes:
        """Return a version's canonical form; raises RetryError while it is not here, ReleaseRefusedError when it is none."""
        if self.refuses(of, wanted):
            remedy = f": {OLDER}" if (of, wanted) in self._unsigned else ""
            raise ReleaseRefusedError(f"the {of} with digest `{wanted[:12]}`: no administrator signed it{remedy}")
        if (of, wanted) not in self._releases:
            raise RetryError(f"the {of} with digest `{wanted[:12]}` is in force but has not come yet: waiting for it")
        return self._releases[of, wanted].content

    def policy(self, wanted: Digest) -> Policy:
        """Return a version of the policy; raises RetryError while it is not here."""
        if wanted not in self._policies:
            self._policies[wanted] = self.read_policy(self.content("policy", wanted))
        return self._policies[wanted]

    def registers(self, wanted: Digest) -> Registers:
        """Return a version of the registers; raises RetryError while it is not here."""
        if wanted not in self._registers:
            self._registers[wanted] = registers_from_content(self.content("registers", wanted))
        return self._registers[wanted]

    def newest(self) -> Registers:
        """Return the registers released last; raises RetryError while there are none."""
        return self.registers(self._newest("registers").digest)

    def newest_policy(self) -> Policy:
        """Return the policy released last; raises RetryError while there is none."""
        return self.policy(self._newest("policy").digest)

    def _newest(self, of: Kind) -> Release:
        newest = self.latest(of)
        if newest is None:
            have = "have" if of == "registers" else "has"
            older = f"; {OLDER}" if any(one.of == of for one in self.unsigned()) else ""
            raise RetryError(f"no {of} {have} been released: run `broker {of} release`{older}")
        return newest
