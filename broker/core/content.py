"""What an event says, as a short digest: the same id with other words is no repeat (I2).

When and where a publisher's system wrote the event down does not count: an export may be read twice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from broker.core.event import Event, Header
from broker.core.identifiers import digest

_LENGTH = 16  # hexadecimal digits: chance does not make two events of one id alike
_OF_THE_WRITING = frozenset({"recorded_at", "sequence", "source"})
_SAYS = tuple(one.name for one in fields(Header) if one.name not in _OF_THE_WRITING)
_READ = attrgetter(*_SAYS)


def content_digest(event: Event) -> str:
    """Return the digest of what an event says; what it leaves unsaid does not count, so that a new field changes none."""
    header = dict(zip(_SAYS, _READ(event.header), strict=True))
    said = _said({"header": header, "body": event.body, "control": event.control})
    return digest(json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())[:_LENGTH]


def _said(value: Any) -> Any:
    """Return a value without whatever is empty."""
    if isinstance(value, Mapping):
        kept = ((name, _said(one)) for name, one in value.items())
        return {name: one for name, one in kept if one not in (None, "", [], {})}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_said(one) for one in value]
    return value
