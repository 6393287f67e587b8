"""Records at which a stage failed in a way that nobody foresaw: tried once more, then set aside as dead letters."""

from collections import Counter
from dataclasses import dataclass, field

from broker.errors import DeadLetterLimitError, UnforeseenError
from broker.log import Entry, log
from broker.stream.engine.chunk import Place, without_the_worst

MOST_FAULTS = 20  # records at which a stage may fail, besides those of the worst sender, before the worker gives up


@dataclass(slots=True)
class Faults:
    """What a worker remembers of such records, over all its rounds. `quarantine` is passed by, each a dead letter."""

    quarantine: set[Place] = field(default_factory=set)
    _seen: set[Place] = field(default_factory=set)
    _senders: Counter[str] = field(default_factory=Counter)

    def note(self, error: UnforeseenError) -> None:
        """Have the record tried again; where it failed a second time, set it aside.

        Raises DeadLetterLimitError when that happens so often, and to the records of so many, that the release must be bad:
        one sender alone never stops the line.
        """
        if error.place not in self._seen:
            self._seen.add(error.place)
            log(Entry.RECORD_TRIED_AGAIN, reason=str(error))
            return
        self.quarantine.add(error.place)
        log(Entry.RECORD_SET_ASIDE, reason=str(error))
        self._senders[error.sender] += 1
        if without_the_worst(self._senders)[0] > MOST_FAULTS:
            log(Entry.WORKER_FAILED, reason=str(error))
            raise DeadLetterLimitError(
                f"{error}: a stage failed at {len(self.quarantine)} records: this release is bad"
            ) from error
