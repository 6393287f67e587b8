"""As whom somebody may act at this place: the holder of a key that lies here and is the one in the registers in force (I10).

Kafka's own access lists hold where somebody brings a client of their own (`access_lists` declares them, `broker topics apply`
puts them in force); this holds for ours.
"""

import time

from broker.core.model.identifiers import AgencyId, RecipientId
from broker.core.model.registers import Agency, Registers
from broker.errors import KeysError, NotFoundError
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import Signer, load_signer
from broker.settings import Settings
from broker.stream.releases.book import ReleaseBook
from broker.stream.releases.registers import released

_FOREVER = 1 << 62


async def recipient_here(settings: Settings, recipient: str) -> tuple[Signer, ReleaseBook]:
    """Return the key of a recipient that may be served here, and what was released.

    Raises KeysError when its key is not here or is not the one in force, or when it has no topic of its own and this is not
    the place of the broker: on the shared topic stand the messages of others. Raises NotFoundError when nobody knows it, and
    RetryError before any registers are in force: who would be served where is not known yet.
    """
    signer = load_signer(settings.keys, recipient)
    book = await released(settings.kafka)
    registers = book.newest()
    entry = registers.recipients.get(RecipientId(recipient))
    if entry is None:
        raise NotFoundError(f"recipient `{recipient}` is not in the registers in force: see `broker registers show`")
    check_key(registers, signer)
    if not entry.own_topic:
        check_place(settings, f"recipient `{recipient}` has no topic of its own: the broker's own desk serves it")
    return signer, book


def agency_here(registers: Registers, signer: Signer) -> Agency:
    """Return the entry of the agency whose key this is; raises NotFoundError or KeysError when all it says would be refused."""
    entry = registers.agencies.get(AgencyId(signer.holder))
    if entry is None:
        raise NotFoundError(f"agency `{signer.holder}` is not in the registers in force: ask the broker's operator to enter it")
    check_key(registers, signer)
    return entry


def check_key(registers: Registers, signer: Signer) -> None:
    """Check that a key is its holder's in the registers, and in force now; raises KeysError."""
    key, now = registers.keys.get(signer.key_id), time.time_ns() // 1_000_000
    if key is None or key.holder != signer.holder or not key.since <= now < (key.until or _FOREVER):
        raise KeysError(
            f"the key of `{signer.holder}` is not the one in the registers in force: send its public half to the operator"
        )


def check_place(settings: Settings, why: str) -> None:
    """Check that this is the broker's own place, as an operator's or an officer's is; raises KeysError with the reason."""
    try:
        Secrets.load(settings.keys)
    except KeysError as error:
        raise KeysError(f"{why}, and this is not its place: {error}") from error
