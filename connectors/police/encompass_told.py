"""What was told of which notice, so that the same again is the same, and a correction takes the place of what it corrects.

A record is one child in one matter: the police reference, the name and the birth date, of which only a digest is kept.
"""

import json
from typing import NamedTuple

from broker.core.intake.delivery import Memory
from broker.core.model.identifiers import AgencyId, EventId, digest, event_id

FORMAT = "encompass-notice"
WITHDRAWN = "withdrawn"
_IN_PLACE_OF = "in place of:"  # begins what stands in a record's versions for the event of another record that it corrected


class Version(NamedTuple):
    """One version of a notice: its event's id, the id of what it takes the place of, and all versions so far."""

    event_id: EventId
    before: EventId | None
    versions: list[str]
    is_new: bool


class Told:
    """What one force told. Nothing is remembered before `note`."""

    def __init__(self, memory: Memory, agency: AgencyId) -> None:
        self._memory = memory
        self._system = f"{FORMAT}:{agency}"

    def corrected(self, record: str, reference: str, notice_id: str | None) -> str | None:
        """Return the record that a correction takes the place of: of its notice id, else of the one child of the matter.

        None where nothing is known that it corrects, or where it may be one of several children.
        """
        if self._memory.get(_key(record)) and not self._memory.get(_now(record)):
            return record
        if notice_id is None:
            standing = self._standing(reference)
            return standing[0] if len(standing) == 1 else None
        found = self._memory.get(_named(notice_id))
        while found and (later := self._memory.get(_now(found.decode()))):
            found = later
        return found.decode() if found and self._versions(found.decode())[-1] != WITHDRAWN else None

    def version(self, record: str, said: str, corrects: str | None = None) -> Version:
        """Return the version of a record that says something; the same words again are the same version."""
        versions, other = self._versions(record), corrects if corrects != record else None
        is_new = versions[-1:] != [said] or other is not None
        if other is not None:
            earlier = self._versions(other)
            told = event_id(self._system, other, f"{len(earlier)}:{earlier[-1]}")
            versions = [*earlier[1:], f"{_IN_PLACE_OF}{told}"]
        if is_new:
            versions = [*versions, said]
        number, last = len(versions), (versions[-2:-1] or [WITHDRAWN])[0]
        before = None if last == WITHDRAWN else event_id(self._system, record, f"{number - 1}:{last}")
        if last.startswith(_IN_PLACE_OF):
            before = EventId(last.removeprefix(_IN_PLACE_OF))
        return Version(event_id(self._system, record, f"{number}:{said}"), before, versions, is_new)

    def note(self, record: str, version: Version, reference: str, notice_id: str | None, corrects: str | None = None) -> None:
        """Remember a version as told, and which children of its matter are told of now."""
        self._memory.put(_key(record), json.dumps(version.versions).encode())
        if notice_id is not None:
            self._memory.put(_named(notice_id), record.encode())
        if corrects is not None and corrects != record:
            self._memory.put(_now(corrects), record.encode())
            self._memory.delete(_now(record))
        if version.is_new:
            ended = {corrects, record}
            standing = [one for one in self._standing(reference) if one not in ended]
            standing += [record] if version.versions[-1] != WITHDRAWN else []
            self._memory.put(_of(reference), json.dumps(standing).encode())

    def _versions(self, record: str) -> list[str]:
        stored = self._memory.get(_key(record))
        return list(json.loads(stored)) if stored else []

    def _standing(self, reference: str) -> list[str]:
        return list(json.loads(self._memory.get(_of(reference)) or b"[]"))


def _key(record: str) -> str:
    return f"{FORMAT}/{record}"


def _named(notice_id: str) -> str:
    return f"{FORMAT}/id/{digest(notice_id.encode())}"


def _now(record: str) -> str:
    """Return where stands which record a correction put in the place of this one."""
    return f"{FORMAT}/now/{record}"


def _of(reference: str) -> str:
    return f"{FORMAT}/of/{digest(reference.encode())}"
