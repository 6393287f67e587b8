"""Every error of the broker, in three families by what happens next.

`RejectError`: this record goes to the dead letters with its reason, the line goes on.
`RetryError`: the far side is unwell, wait and try again.
`StopError`: our settings, policy or state are unfit, stop and tell the operator.

A message is one line of plain words that names file, line, field or identifier and what to do. It never holds personal data.
"""


class BrokerError(Exception):
    """Raised when the broker can say in plain words what is wrong; the family says what happens next."""


# Who sent a record that is refused, where it is not an agency or a recipient that proved it.
OURS = "the broker"
NOBODY = "nobody who proved it"


class RejectError(BrokerError):
    """Raised when one record cannot be taken; it becomes a dead letter.

    `sender` is who proved to have sent it: the holder of the key that signed it, `OURS`, or `NOBODY`. What a record claims
    without proof does not count, for whoever wants to stop others can claim to be them.
    """

    reason = "rejected"
    sender = OURS
    of_the_record = False  # whether it is so under every release: then no release can be the cause, however many are refused


class RetryError(BrokerError):
    """Raised when the far side is unwell and the same work may succeed later."""


class StopError(BrokerError):
    """Raised when going on would be wrong: settings, policy, registers or state are unfit."""


class ReleaseRefusedError(StopError):
    """Raised when a version of policy or registers is asked for that no administrator signed, or is told so when released."""


class UnknownSchemaError(RejectError):
    """Raised when bytes carry no wire format prefix or a schema id that the lock file does not hold."""

    reason = "unknown_schema"


class UnreadableRecordError(RejectError):
    """Raised when bytes do not fit the schema that they name, or a value does not fit its schema."""

    reason = "unreadable"


class SignatureError(RejectError):
    """Raised when a signature is missing, does not verify, or its key is not in force for that agency."""

    reason = "bad_signature"


class NotPermittedError(RejectError):
    """Raised when an agency publishes as another, on another sector's topic, or what its role does not allow."""

    reason = "not_permitted"


class HeadersError(RejectError):
    """Raised when a record's CloudEvents headers are missing or say something else than the event itself."""

    reason = "headers_disagree"
    of_the_record = True


class EventIdError(RejectError):
    """Raised when an event's id, or the id that it names, is no UUID in lower case; the message does not repeat it."""

    reason = "id_not_a_uuid"
    of_the_record = True


class TooLargeError(RejectError):
    """Raised when a record is larger than the broker takes."""

    reason = "too_large"
    of_the_record = True


class DeliveryError(RejectError):
    """Raised when a delivery of native files cannot be taken as a whole; the message says what it is and what to do."""

    reason = "unreadable_delivery"


class CutOffError(DeliveryError):
    """Raised when a delivery ends in the middle of what its format holds: it was cut, or it is still being written."""


class TimeError(RejectError):
    """Raised when a record was recorded in the future."""

    reason = "time_in_future"
    of_the_record = True


class ImpossibleTimeError(RejectError):
    """Raised when a time is in no year that a source can mean."""

    reason = "impossible_time"
    of_the_record = True


class StaleVersionError(RejectError):
    """Raised when a redriven record is older than what the child's line already holds."""

    reason = "stale_version"
    of_the_record = True


class ChangedContentError(RejectError):
    """Raised when an agency sends other content under the id of an event that was taken before."""

    reason = "content_differs"
    of_the_record = True


class ReviewClosedError(RejectError):
    """Raised when somebody resolves a review that is not open (any more) where the answer went."""

    reason = "review_not_open"


class TooManyReviewsError(RejectError):
    """Raised when a publisher has as many events about nobody known in review as one place takes: answer some, then redrive."""

    reason = "too_many_reviews"
    of_the_record = True


class NothingInForceError(RejectError):
    """Raised when a record comes before any policy or registers are in force: release them, then redrive it."""

    reason = "nothing_in_force"


class UnknownDisclosureError(RejectError):
    """Raised when a receipt, clock or resolution names something that the child's line does not hold."""

    reason = "unknown_disclosure"


class KafkaUnavailableError(RetryError):
    """Raised when Kafka does not answer."""


class TopicsMissingError(RetryError):
    """Raised when topics are not there yet: `broker topics apply` makes them, and who waits goes on then."""


class SendFailedError(RetryError):
    """Raised when Kafka did not acknowledge a send; the chunk is not committed."""


class SettingsError(StopError):
    """Raised when settings are missing or wrong; the message holds one line per fault."""


class PolicyError(StopError):
    """Raised when a policy is unfit; the message names file, line, rule and remedy."""


class RegistersError(StopError):
    """Raised when registers are unfit; the message names file, entry and remedy."""


class SchemaChangeError(StopError):
    """Raised when a schema changed in a way that old readers or old bytes cannot survive."""


class TopicsError(StopError):
    """Raised when topics differ from their declaration in a way that must not be mended silently."""


class DataLossError(StopError):
    """Raised when Kafka came back without what it held before."""


class KeysError(StopError):
    """Raised when a key file is missing, unreadable or not the key it should be."""


class UnforeseenError(RetryError):
    """Raised when a stage failed in a way that nobody foresaw; its state is dropped and its records are taken again.

    `place` names the record at fault, `sender` who sent it by its own word; when it fails there again, the record becomes a
    dead letter, as it came.
    """

    def __init__(self, message: str, topic: str, partition: int, offset: int, *, sender: str = "") -> None:
        super().__init__(message)
        self.place = (topic, partition, offset)
        self.sender = sender


class DeadLetterLimitError(StopError):
    """Raised when so many records in a row, or so large a share, would be dead-lettered that a release must be bad."""


class WorkerStuckError(StopError):
    """Raised when a worker's Kafka client does not end; a fresh process goes on from what is committed."""


class NotFoundError(StopError):
    """Raised when a command names a decision, event, review, recipient or file that is not there."""


class InputError(StopError):
    """Raised when a command's input cannot be taken; the message names file and line."""


class ChunkSkippedError(RetryError):
    """Raised when a chunk was passed over between Kafka and a stage; the worker starts again from what is committed."""


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (FileNotFoundError, "not there"),
    (IsADirectoryError, "it is a folder, not a file"),
    (NotADirectoryError, "part of its path is a file, not a folder"),
    (PermissionError, "no right to use it: ask whoever owns it"),
    (FileExistsError, "there already"),
    (UnicodeDecodeError, "it is not text in UTF-8"),
)


def reason_in_words(error: BaseException) -> str:
    """Say in plain words why a file could not be used."""
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return words
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{said[:1].lower()}{said[1:]}"
