"""Say where something is about which nothing was decided: with people, or among the dead letters. Shows nothing of a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.kafkaaccess import Kafka
from broker.stream.dead_letters import DeadLetter, read_dead_letters
from broker.stream.watching.review_reader import GAP, Review, read_reviews


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where an event is since `at`: `state` is one of in_review, gap, reviewed, dead_lettered, closed; `see` a command."""

    state: str
    event_id: str
    event_type: str
    producer: str
    at: int
    why: str
    asked: str | None
    see: str


async def whereabouts(kafka: Kafka, some_id: str) -> list[Whereabouts]:
    """Find an event by its id or its review's; raises KafkaUnavailableError or TopicsMissingError."""
    reviews = [one for one in (await read_reviews(kafka)).values() if some_id in {one.id, one.message["event_id"]}]
    if reviews:
        return [_in_review(one) for one in reviews]
    letters = [(one, one.about()) for one in await read_dead_letters(kafka)]
    return [_dead_lettered(letter, about) for letter, about in letters if some_id in {about.get("event_id"), letter.place}]


def _in_review(review: Review) -> Whereabouts:
    told = review.message
    waiting = "gap" if told["kind"] == GAP else "in_review"
    return Whereabouts(
        state=waiting if review.is_open else "reviewed",
        event_id=told["event_id"],
        event_type=told["event_type"],
        producer=told["producer"],
        at=told["opened_at"],
        why=told["why"],
        asked=told["for_recipient"] or None,
        see=f"broker reviews show {review.id}" if review.is_open else f"broker explain --event {told['event_id']}",
    )


def _dead_lettered(letter: DeadLetter, about: Mapping[str, Any]) -> Whereabouts:
    return Whereabouts(
        state="closed" if letter.closed else "dead_lettered",
        event_id=str(about.get("event_id") or ""),
        event_type=str(about.get("event_type") or ""),
        producer=str(about.get("producer") or ""),
        at=letter.at,
        why=letter.reason,
        asked=None,
        see=f"broker dead-letters show {letter.place}",
    )
