"""Every version of the policy and the registers that was released, by digest; knows no Kafka client.

All versions are kept for ever: a decision names the digests it was made by, and a replay finds them here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from broker.core.identifiers import Digest
from broker.core.policy import Policy
from broker.core.registers import Registers
from broker.errors import RetryError
from broker.registerfile import registers_from_content
from broker.releases import Release, decode_release

Kind = Literal["policy", "registers"]


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

    def add(self, value: bytes) -> Release:
        """Take one record of `policies.v1` or `registers.v1`; raises UnreadableRecordError when it is none."""
        release = decode_release(value)
        self._releases[release.of, release.digest] = release
        self._latest[release.of] = release
        return release

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
        """Return a version's canonical form; raises RetryError while it is not here."""
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

    def latest_registers(self) -> Registers | None:
        """Return the registers released last; None when there are none."""
        newest = self.latest("registers")
        return None if newest is None else self.registers(newest.digest)

    def latest_policy(self) -> Policy | None:
        """Return the policy released last; None when there is none."""
        newest = self.latest("policy")
        return None if newest is None else self.policy(newest.digest)
