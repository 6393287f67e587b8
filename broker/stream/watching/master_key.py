"""See that the master key of this place is the one that children are known under in the log.

Under another one every known child is unknown: its alerts would go to a person as about nobody, and nothing would say why.
"""

from broker.errors import KeysError
from broker.kafkaaccess import Kafka
from broker.sealing.secrets import Secrets
from broker.stream.identify.turn import BORN
from broker.stream.topics import IDENTITIES
from broker.stream.watching.log_reader import open_log
from broker.stream.watching.places import places_of


async def check_master(kafka: Kafka, secrets: Secrets) -> None:
    """Check that children in the log are known under this master key; well, too, where no child is known yet.

    Raises KeysError, KafkaUnavailableError or TopicsMissingError.
    """
    places = await places_of(kafka, [IDENTITIES])
    async with open_log(kafka) as log:
        async for records in log.between(await log.starts(places), await log.ends(places)):
            keys = {(record.key or b"").partition(b"/")[0].partition(b"#")[0].decode() for record in records}
            born = {key for key in keys if key.startswith(BORN)}
            if born and secrets.made(born) * 2 < len(born):  # a worker that had another one may have written some
                raise KeysError(
                    "the master key here is not the one under which the children in this Kafka are known: copy `broker.keys` "
                    "from a place where it works, and make none anew"
                )
            if born:
                return
