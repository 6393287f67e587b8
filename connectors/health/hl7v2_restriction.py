"""What a hospital says of who must not know where a patient is, and what of it was told before.

It is remembered by each of the patient's numbers, so that it is lifted whichever of them a message names.
"""

from collections.abc import Iterable, Iterator

from broker.core.delivery import Memory
from broker.core.event import Confidentiality, Control, Identifier
from connectors.health.hl7v2_message import Case
from connectors.health.hl7v2_visit import hashed

FIELD = "PD1-12"
KIND = "restricted_record"  # of protection, in the policy's catalogue


def confidentiality_of(case: Case) -> Confidentiality | None:
    """Return the restriction that the message itself says."""
    code = case.patient.restriction
    return {"code": code, "source": FIELD} if code else None


def changed_restriction(memory: Memory, case: Case) -> Control | None:
    """Return the protection to be set or lifted, and remember it; None when nothing changes.

    Only a word that says so lifts it: silence never does.
    """
    identifiers, code = case.patient.identity["identifiers"], case.patient.restriction
    known = [one for one in _keys(identifiers) if memory.get(one)]
    if code in ("R", "V"):
        for key in _keys(identifiers):
            memory.put(key, b"set")
        return None if known else Control(kind=KIND, state="set", reason=FIELD)
    if code == "U" and known:
        for key in known:
            memory.delete(key)
        return Control(kind=KIND, state="lifted", reason=FIELD)
    return None


def carry_over(memory: Memory, losing: Iterable[Identifier], surviving: Iterable[Identifier]) -> None:
    """Let what was restricted under one number be so under the number that its record becomes part of."""
    if any(memory.get(key) for key in _keys(losing)):
        for key in _keys(surviving):
            memory.put(key, b"set")


def _keys(identifiers: Iterable[Identifier]) -> Iterator[str]:
    for one in identifiers:
        yield f"restricted/{hashed((one['scheme'], one['value'], one.get('issuer') or ''))}"
