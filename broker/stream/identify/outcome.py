"""What becomes of an event where its child is looked for."""

from dataclasses import dataclass

MOST_SHOWN = 10  # children that a person is shown who only look alike


@dataclass(frozen=True, slots=True)
class Forward:
    """It is about this child."""

    child_ref: str


@dataclass(frozen=True, slots=True)
class Wait:
    """It is known whom it is about, `child_ref`, but an identifier's owner has not answered."""

    child_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A person has to say. `candidates` are shown, `alike` are all children that it may be about, where they are more."""

    kind: str
    candidates: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()


Outcome = Forward | Wait | Ask
