"""What an event says, as a short digest: the same id with other words is no repeat (I2).

When and where a publisher's system wrote the event down does not count: an export may be read twice.
"""

import json
from dataclasses import fields
from operator import attrgetter
from typing import Any

from broker.core.model.event import Event, Header
from broker.core.model.identifiers import digest

_LENGTH = 16  # hexadecimal digits: chance does not make two events of one id alike
_OF_THE_WRITING = frozenset({"recorded_at", "received_at", "sequence", "source"})
_SAYS = tuple(one.name for one in fields(Header) if one.name not in _OF_THE_WRITING)
_READ = attrgetter(*_SAYS)
_NESTED = (dict, list, tuple)  # what a decoded event is made of
_EMPTY: tuple[Any, ...] = ("", [], {})
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def content_digest(event: Event) -> str:
    """Return the digest of what an event says; what it leaves unsaid does not count, so that a new field changes none."""
    header = dict(zip(_SAYS, _READ(event.header), strict=True))
    said = _said({"header": header, "body": event.body, "control": event.control})
    return digest(_canonical(said).encode())[:_LENGTH]


def _said(value: Any) -> Any:
    """Return a value without whatever is empty."""
    if isinstance(value, dict):
        found = {}
        for name, one in value.items():
            said = _said(one) if isinstance(one, _NESTED) else one
            if said is not None and said not in _EMPTY:
                found[name] = said
        return found
    return [_said(one) for one in value] if isinstance(value, _NESTED) else value
