"""The reconciler's equation: every accepted record is accounted for (I2), per partition and offset range.

`accepted = decided + applied + duplicate + in review + dead-lettered + in flight`.
Values only; the reconciler's books are in `broker.audit`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum


class End(IntEnum):
    """How an accepted record ended; a later one of these outranks an earlier one."""

    NOWHERE = 0
    IN_FLIGHT = 1  # only as long as something of it is on its way
    IN_REVIEW = 2  # only as long as its review is open
    LEFT_TO_PEOPLE = 3  # the audit log says so, of one that a person has to decide
    DEAD_LETTERED = 4
    DUPLICATE = 5
    APPLIED = 6
    DECIDED = 7


FINAL = frozenset({End.DUPLICATE, End.APPLIED, End.DECIDED})
OUTCOMES: Mapping[str, End] = {
    "decided": End.DECIDED,
    "applied": End.APPLIED,
    "duplicate": End.DUPLICATE,
    "in_review": End.LEFT_TO_PEOPLE,
}
NOWHERE = "nowhere"  # what is lost; the only term that must be 0
_TERMS: Mapping[str, tuple[End, ...]] = {
    "decided": (End.DECIDED,),
    "applied": (End.APPLIED,),
    "duplicate": (End.DUPLICATE,),
    "in_review": (End.IN_REVIEW, End.LEFT_TO_PEOPLE),
    "dead_lettered": (End.DEAD_LETTERED,),
    "in_flight": (End.IN_FLIGHT,),
    NOWHERE: (End.NOWHERE,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One accepted record that does not add up."""

    topic: str
    partition: int
    offset: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The equation of one partition: offsets from `first` up to and without `end`."""

    topic: str
    partition: int
    first: int
    end: int
    counts: Mapping[str, int]
    faults: tuple[Fault, ...] = ()
    faults_in_all: int = 0

    @property
    def accepted(self) -> int:
        """Return how many records were accepted in this range."""
        return sum(self.counts.values())

    @property
    def balances(self) -> bool:
        """Tell whether every accepted record is accounted for exactly once."""
        return not self.faults_in_all


def terms(ends: Mapping[End, int]) -> Mapping[str, int]:
    """Return the terms of the equation from how many records ended in which way."""
    return {name: sum(ends[end] for end in of) for name, of in _TERMS.items()}


def names() -> tuple[str, ...]:
    """Return the terms of the equation in the order in which it is written."""
    return tuple(_TERMS)


def unaccounted(balances: Iterable[Balance]) -> Mapping[str, int]:
    """Return how many records do not add up, of each topic where there are any."""
    counts: Counter[str] = Counter()
    for one in balances:
        counts[one.topic] += one.faults_in_all
    return dict(sorted((+counts).items()))


def total(balances: Iterable[Balance]) -> Mapping[str, int]:
    """Return the equation over all partitions: accepted, and each way to end."""
    counts: Counter[str] = Counter(dict.fromkeys(("accepted", *names()), 0))
    for one in balances:
        counts.update(one.counts)
        counts["accepted"] += one.accepted
    return dict(counts)
