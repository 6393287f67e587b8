"""What a hospital says of who must not know where a patient is, and what of it was told before.

It is remembered by each of the patient's numbers, so that it is lifted whichever of them a message names.
"""

from collections.abc import Iterable, Iterator

from broker.core.intake.delivery import Memory
from broker.core.model.event import Confidentiality, Control, Identifier
from connectors.health.hl7v2_message import Case
from connectors.health.hl7v2_visit import hashed

FIELD = "PD1-12"
KIND = "restricted_record"  # of protection, in the policy's catalogue


def confidentiality_of(case: Case) -> Confidentiality | None:
    """Return the restriction that the message itself says."""
    code = case.patient.restriction
    return {"code": code, "source": FIELD} if code else None


def changed_restriction(memory: Memory, case: Case) -> Control | None:
    """Return the protection to be set or lifted; None when nothing changes.

    Only a word that says so lifts it: silence never does.
    """
    code, known = case.patient.restriction, any(memory.get(one) for one in _keys(case.patient.identity["identifiers"]))
    if code in ("R", "V") and not known:
        return Control(kind=KIND, state="set", reason=FIELD)
    return Control(kind=KIND, state="lifted", reason=FIELD) if code == "U" and known else None


def note_restriction(memory: Memory, case: Case) -> None:
    """Remember what was told of it, under each of the patient's numbers."""
    for key in _keys(case.patient.identity["identifiers"]):
        if case.patient.restriction in ("R", "V"):
            memory.put(key, b"set")
        elif case.patient.restriction == "U":
            memory.delete(key)


def carry_over(memory: Memory, losing: Iterable[Identifier], surviving: Iterable[Identifier]) -> None:
    """Let what was restricted under one number be so under the number that its record becomes part of."""
    if any(memory.get(key) for key in _keys(losing)):
        for key in _keys(surviving):
            memory.put(key, b"set")


def _keys(identifiers: Iterable[Identifier]) -> Iterator[str]:
    for one in identifiers:
        yield f"restricted/{hashed((one['scheme'], one['value'], one.get('issuer') or ''))}"
