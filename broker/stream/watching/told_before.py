"""What a desk was told of children and may still use, so that it knows whom a question may be about.

INVARIANT: it is what stands in the desk's own messages and nothing else; what was taken back or replaced is not among it (I7),
nor anything of a child for whom an event excludes the desk (R11: to ask it about that child is to tell it).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from broker import codec
from broker.core.model.identifiers import ChildRef
from broker.core.model.notice import TOLD_RULE
from broker.core.model.registers import Recipient
from broker.kafkaaccess import Kafka
from broker.sealing.secrets import Secrets
from broker.stream.topics import DISCLOSURES, disclosures_topic
from broker.stream.watching.review_reader import Children, one_with, read_all

_OF_CHILDREN = frozenset({"ALERT", "EXISTENCE", "CORRECTION", "OUTCOME"})

Disclosure = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToldOf:
    """What a desk was told of a child that a review may be about, the latest first: its own pseudonym is in each."""

    child_ref: str
    disclosures: tuple[Disclosure, ...]


async def told_of(
    kafka: Kafka, secrets: Secrets, desk: Recipient, candidates: Collection[str], known: Children
) -> tuple[ToldOf, ...]:
    """Return for each of these children what a desk was told of it, or of a record that was joined to it."""
    refs = {one: one_with(known, one) for one in candidates}
    names = {ref: secrets.pseudonym(desk.id, ChildRef(ref)) for found in refs.values() for ref in found}
    topic = disclosures_topic(desk.id) if desk.own_topic else DISCLOSURES
    messages = [codec.decode("disclosure", one.value) for one in await read_all(kafka, topic, names.values()) if one.value]
    standing = standing_with([one for one in messages if one["recipient"] == desk.id])
    return tuple(ToldOf(one, _about(desk.id, refs[one], names, known, standing)) for one in candidates)


def standing_with(messages: Collection[Disclosure]) -> tuple[Disclosure, ...]:
    """Return what of a desk's messages it may still use, the latest first."""
    over = _over(messages)
    found = [one for one in messages if one["kind"] in _OF_CHILDREN and one["disclosure_id"] not in over]
    return tuple(sorted(found, key=lambda one: (-one["issued_at"], one["disclosure_id"])))


def _over(messages: Collection[Disclosure]) -> set[str]:
    """Return what was taken back or replaced. What says anew what a family was told leaves the message before it in use."""
    anew = [one for one in messages if TOLD_RULE in one["rules"]]
    over = {one["replaces"] for one in messages if one not in anew}
    return over | {one["disclosure_id"] for one in anew if one["replaces"] in over}


def _about(
    desk: str, refs: Collection[str], names: Mapping[str, str], known: Children, standing: Collection[Disclosure]
) -> tuple[Disclosure, ...]:
    if any(one.recipient == desk for ref in refs for child in known.get(ref, {}).values() for one in child.exclusions):
        return ()
    own = {names[ref] for ref in refs}
    return tuple(one for one in standing if one["child"] in own)
