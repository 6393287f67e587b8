"""Read reviews from the log, and answer them: signed, to where the question waits."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from broker import codec
from broker.core.model.identifiers import AgencyId
from broker.core.model.policy import HUB
from broker.core.model.ports import ANSWERS, ORIGIN, Outgoing, Record
from broker.core.model.registers import Registers
from broker.core.waiting.judgements import FINDING_TYPE
from broker.core.waiting.unsafe import TOLD_TYPE
from broker.errors import InputError, NotFoundError
from broker.kafkaaccess import Kafka
from broker.sealing.reviews import open_event
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import Signer
from broker.stream.clients import Writer, open_producer
from broker.stream.identify.joining import is_vouched
from broker.stream.identify.outcome import MOST_SHOWN
from broker.stream.identify.state import Child, child_from_bytes
from broker.stream.identify.store import children_lines
from broker.stream.topics import CANDIDATES, IDENTITIES, REVIEWS, SUBJECTS
from broker.stream.watching.log_reader import read_whole
from broker.stream.watching.review_record import review_in

LINK, REJECT = "LINK", "REJECT"
GAP, ASK, UNIDENTIFIED = "GAP", "ASK", "UNIDENTIFIED"
_OF_THE_OPENING = ("for_recipient", "opened_at", "candidates", "accepted_at", "due_at", "clock")  # a closing says nothing of it


@dataclass(frozen=True, slots=True)
class Review:
    """A review as it stands now. `sealed` and `opened` come from the record that opened it."""

    message: Mapping[str, Any]
    origin: bytes | None
    sealed: bytes | None = None

    @property
    def id(self) -> str:
        """Return its id."""
        return str(self.message["review_id"])

    @property
    def is_open(self) -> bool:
        """Tell whether somebody still has to decide."""
        return bool(self.message["state"] == "OPEN")


def said_by(review: Review, producer: str) -> Review:
    """Return a review that names this publisher of its event, or nobody."""
    return replace(review, message={**review.message, "producer": producer})


@dataclass(slots=True)
class _Reviews:
    """The newest record of each review; a closed one keeps what its opening held."""

    found: dict[str, Review] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        message = review_in(record)
        if message is None:
            return
        before = self.found.get(message["review_id"])
        opens = message["state"] == "OPEN"  # put to another, it holds what that one may see, or nothing
        sealed = message["sealed_event"] if opens or before is None else before.sealed
        if before is not None and not opens:
            kept = {name: before.message[name] for name in _OF_THE_OPENING}
            message = {**message, **kept}
        self.found[message["review_id"]] = Review(message, record.header(ORIGIN), sealed)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person decided: LINK, with the child where there is none yet and where that is known, or REJECT."""

    decision: str
    reason: str
    child_ref: str | None = None
    child_key: str | None = None


Children = Mapping[str, Mapping[str, Child]]  # by reference, and by matching key


class KnownChild(NamedTuple):
    """A child, and the matching key under which `identify` knows it."""

    ref: str | None = None
    key: str | None = None


async def read_reviews(kafka: Kafka) -> dict[str, Review]:
    """Return every review as it stands now, by id, the oldest first; raises KafkaUnavailableError or TopicsMissingError."""
    reviews = _Reviews()
    for record in await read_all(kafka, REVIEWS):
        reviews.take(record)
    return dict(sorted(reviews.found.items(), key=lambda item: (item[1].message["opened_at"], item[0])))


def known_children(every: Children) -> dict[str, KnownChild]:
    """Return for every child_ref that `identify` knows the child that it is now, it itself or the one that it was merged into.

    One that came about under a birth date may be spoken of under another, too; there it never was opened, and is no merged one.
    """
    found: dict[str, KnownChild] = {}
    for ref, known in every.items():
        key, child = max(known.items(), key=lambda one: (bool(one[1].names or one[1].merged_into), one[0]))
        found[ref] = KnownChild(child.merged_into or ref, key)
    return found


async def children_known(kafka: Kafka) -> dict[str, dict[str, Child]]:
    """Return every child by its reference, as it is known under each matching key."""
    newest: dict[bytes, bytes] = {}
    for record in await read_all(kafka, IDENTITIES):
        if record.key:
            newest[record.key] = record.value or b""
    found: dict[str, dict[str, Child]] = {}
    for key, ref, line in children_lines(newest):
        found.setdefault(ref, {})[key] = child_from_bytes(line)
    return found


def one_with(known: Children, ref: str) -> tuple[str, ...]:
    """Return every child_ref that means the same child as this one: those that were joined to one."""
    meant = _meant(known, ref)
    return tuple(sorted({ref, *(one for one in known if _meant(known, one) == meant)}))


def _meant(known: Children, ref: str) -> str:
    passed: set[str] = set()
    while ref not in passed:
        passed.add(ref)
        ref = next((one.merged_into for one in known.get(ref, {}).values() if one.merged_into), ref)
    return ref


def candidates_of(review: Review, known: Children) -> tuple[Child, ...]:
    """Return the children that a review may be about as `identify` knows them, and those that they were joined to."""
    found: list[Child] = []
    wanted = list(review.message["candidates"])
    for ref in wanted:
        here = known.get(ref, {}).values()
        found.extend(here)
        wanted.extend(child.merged_into for child in here if child.merged_into and child.merged_into not in wanted)
    return tuple(found)


def excluded_for(review: Review, candidates: Iterable[Child]) -> frozenset[str]:
    """Return whom events exclude for the children that a review may be about, as `identify` counts them (R11)."""
    if review.message["kind"] == UNIDENTIFIED:
        return frozenset()
    return frozenset(one.recipient for child in candidates for one in child.exclusions if not one.doubted)


def set_it(review: Review, candidates: Sequence[Child], registers: Registers) -> bool:
    """Tell whether all that protects the children that a review may be about was set where it is asked: there it is no secret.

    Not where something that waits may protect one, nor where there are more children than are shown; nor where nobody but who
    set it knows the child there, since anybody's first word could be that.
    """
    asked = registers.recipients.get(review.message["for_recipient"])
    by = {guard.by for child in candidates for guard in child.guards}
    areas = {registers.agencies[AgencyId(one)].area if one in registers.agencies else "" for one in by}
    sure = len(review.message["candidates"]) < MOST_SHOWN and not any(child.holds for child in candidates)
    vouched = all(is_vouched(child, guard) for child in candidates for guard in child.guards if guard.hubs)
    return asked is not None and sure and vouched and areas == {asked.area}


async def answer(kafka: Kafka, answered: Outgoing) -> None:
    """Send an answer; raises SendFailedError when Kafka does not take it."""
    async with open_producer(kafka, topics=[answered.topic]) as kafka_producer:
        await Writer(kafka_producer).write([answered])


def check_asked(review: Review, holder: str, registers: Registers) -> None:
    """Check that a key's holder may decide a review; raises InputError where the line would refuse what it says.

    That is who was asked, and of what waits on a child's line the child's hub too; where nobody could be asked, any hub. Which
    hub is the child's only the line knows, so one of another area is refused there. Nobody decides for another on a finding.
    """
    told = review.message
    asked = told["for_recipient"]
    own = registers.recipients.get(asked)
    hubs = [one for one in registers.recipients.values() if HUB in one.roles]
    if told["child_ref"]:
        own_alone = told["kind"] == ASK and told["event_type"] in {FINDING_TYPE, TOLD_TYPE}
        areas = registers.areas.values()
        may = {asked} if own_alone else {asked, *(one.id for one in hubs), *(one.out_of_hours for one in areas)}
    else:
        may = {asked, own.agency if own else ""} if asked else {name for one in hubs for name in (one.id, one.agency)}
    if not holder or holder not in may:
        whom = (
            f"`{asked}` was: answer `--as {asked}`, with its key" if asked else "a hub decides: answer `--as` one, with its key"
        )
        raise InputError(f"review `{review.id}`: `{holder}` was not asked, {whom}")


def check_may_see(review: Review, holder: str, registers: Registers, excluded: Collection[str]) -> None:
    """Check that a key's holder may see the event in a review; raises InputError. Asking is telling (R11).

    It is sealed as whoever is asked may see it, so nobody else sees it, also not who may answer in that one's place. Where nobody
    could be asked, that is a hub which is not `excluded`: by the event, or for a child that it may be about.
    """
    asked = review.message["for_recipient"]
    entry = registers.recipients.get(asked)
    may = {asked}
    if asked and entry and not review.message["child_ref"]:
        may |= {entry.agency}
    if not asked:
        hubs = [one for one in registers.recipients.values() if HUB in one.roles and one.id not in excluded]
        may = {name for one in hubs for name in (str(one.id), str(one.agency))}
    if not holder or holder not in may:
        whom = f"`{asked}`, who was asked" if asked else "a hub that nobody excludes"
        raise InputError(f"review `{review.id}`: the event in it is shown to {whom}: say `--as`, with its key in `keys`")


def answer_to(review: Review, said: Answer, signer: Signer, secrets: Secrets) -> Outgoing:
    """Return the signed record that answers a review.

    It goes to the line where the question waits. An event without a child travels with its answer, since it may be one of more
    than are kept there. Raises NotFoundError when the review is not open, InputError when the answer does not suit it.
    """
    if not review.is_open:
        raise NotFoundError(f"review `{review.id}` is {review.message['state'].lower()} already: there is nothing to decide")
    kind = review.message["kind"]
    if kind == GAP and said.decision == LINK:
        raise InputError(
            f"review `{review.id}` is a gap, nobody in a role was told: it closes by itself once somebody is, else reject it"
        )
    if review.message["child_ref"] and said.child_ref:  # who names a child thinks of another question: it must share nothing
        raise InputError(
            f"review `{review.id}` asks nothing about which child it is, and no child can be named for it: see what it asks with "
            f"broker reviews show {review.id}"
        )
    resolution = {
        "review_id": review.id,
        "decision": said.decision,
        "child_ref": said.child_ref,
        "by": signer.key_id,
        "reason": said.reason,
        "child_key": said.child_key,
    }
    if review.message["child_ref"]:
        line = review.message["child_ref"]
        message = {"kind": "RESOLUTION", "child_ref": line, "resolution": resolution}
        value = codec.encode("subject_record", message)
        return Outgoing(SUBJECTS, line.encode(), value, signer.headers(SUBJECTS, value, review.id))
    if said.decision == LINK and not said.child_ref:
        raise InputError(f"review `{review.id}` is about nobody yet: name the child with --child or --number")
    event = open_event(secrets, review.id, review.sealed) if review.sealed else None
    message = {"kind": "RESOLUTION", "resolution": resolution, "event": event, "hub": review.message["for_recipient"]}
    return _signed(signer, CANDIDATES, review.message["matching_key"], codec.encode("candidate", message), review)


def _signed(signer: Signer, topic: str, key: str, value: bytes, review: Review) -> Outgoing:
    """Sign an answer. It is no record of the event in review, which is accounted for elsewhere: refused, it ends nothing."""
    headers = signer.headers(topic, value, review.id)
    if review.origin is not None:
        headers = ((ANSWERS, review.origin), *headers)
    return Outgoing(topic, key.encode(), value, headers)


async def read_all(kafka: Kafka, topic: str, keys: Collection[str] | None = None) -> list[Record]:
    """Return every record of a topic up to its present end, or those of some keys, in the order of their time stamps."""
    wanted = None if keys is None else {one.encode() for one in keys}
    found = [
        record
        async for records in read_whole(kafka, topic, wanted)
        for record in records
        if wanted is None or record.key in wanted
    ]
    return sorted(found, key=lambda record: record.timestamp)
