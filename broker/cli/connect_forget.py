"""Let a connector forget what it published: the last file where that was a wrong one, or all of it where Kafka lost it."""

import re
from pathlib import Path

from broker.core.account.words import instant_in_words
from broker.core.intake.delivery import Forgetting
from broker.core.model.identifiers import Millis
from broker.errors import InputError, NotFoundError
from broker.settings import Settings
from connectors.registry import CONNECTORS
from connectors.transports.memory import SqliteMemory

_UNCHANGED = "Nothing was changed: with --yes it is forgotten."
_MEANS = (
    "of `{agency}` `{name}` remembers {number:,} deliver{ies}, the last on {last}. Once it is forgotten, the next files are "
    "published whole, as if they were the first. Do this where what was published is lost; where it is not, what did not "
    "change is taken as a duplicate, and what did change stands beside what was said before."
)


def memory_of(settings: Settings, name: str, agency: str) -> Path:
    """Return where a connector keeps what it published of an agency's files."""
    return settings.data / "connect" / f"{re.sub('[^A-Za-z0-9._-]', '_', agency)}-{name}.sqlite"


def forget_last(settings: Settings, name: str, agency: str, *, sure: bool) -> str:
    """Say what it means to forget the last accepted file of an agency, and forget it when a person is sure.

    Raises InputError for a connector that cannot go back by one file, NotFoundError when none was accepted.
    """
    connector = CONNECTORS[name].make()
    if not isinstance(connector, Forgetting):
        raise InputError(f"`{name}` cannot go back to the file before: to publish its next files whole, use --forget-all")
    memory = SqliteMemory(memory_of(settings, name, agency))
    try:
        means = connector.last_accepted(memory)
        if means is None:
            raise NotFoundError(f"no file of `{agency}` was accepted by `{name}` yet: there is nothing to forget")
        if not sure:
            return f"{means}\n{_UNCHANGED}"
        memory.begin()
        connector.forget_last(memory)
        memory.commit()
        return f"{means}\nIt is forgotten."
    finally:
        memory.close()


def forget_all(settings: Settings, name: str, agency: str, *, sure: bool) -> str:
    """Say what it means to forget all that a connector published of an agency, and forget it when a person is sure.

    Raises NotFoundError when nothing was published.
    """
    file = memory_of(settings, name, agency)
    if not file.exists():
        raise NotFoundError(f"nothing of `{agency}` was published by `{name}` here: there is nothing to forget")
    memory = SqliteMemory(file)
    try:
        number, last = memory.deliveries()
        if not number:
            raise NotFoundError(f"nothing of `{agency}` was published by `{name}` yet: there is nothing to forget")
        ies = "y" if number == 1 else "ies"
        means = _MEANS.format(agency=agency, name=name, number=number, ies=ies, last=instant_in_words(Millis(last)))
        if not sure:
            return f"{means}\n{_UNCHANGED}"
        memory.forget_all()
        return f"{means}\nIt is forgotten."
    finally:
        memory.close()
