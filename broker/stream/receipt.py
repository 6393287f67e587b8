"""A receipt as a recipient sends it: signed with its own key, carrying the token of the disclosure that it answers."""

from dataclasses import asdict, dataclass

from broker import codec
from broker.core.ports import Outgoing
from broker.sealing.signatures import Signer
from broker.stream.topics import RECEIPTS

STATES = ("DELIVERED", "READ", "ACTED", "OUTCOME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a recipient says of one disclosure; `token` came with it. `outcome` and `note` go with OUTCOME only."""

    disclosure_id: str
    token: bytes
    state: str
    said_at: int
    outcome: str | None = None
    note: str | None = None


def signed_receipt(signer: Signer, answer: Answer) -> Outgoing:
    """Make a signed receipt record; receipts of one disclosure keep their order."""
    value = codec.encode("receipt", {**asdict(answer), "recipient": signer.holder})
    headers = signer.headers(RECEIPTS, value, answer.disclosure_id)
    return Outgoing(RECEIPTS, answer.disclosure_id.encode(), value, headers)
