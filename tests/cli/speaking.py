"""Which commands speak to Kafka, and how each is called so that it does; every other command has a reason why it does not."""

from collections.abc import Mapping

from tests.area import COUNCIL, Area

LEAD = "dsl-100001"

SILENT: Mapping[str, str] = {
    "demo": "begins with an area of its own, of which nothing is known",
    "keys new": "files alone",
    "keys broker": "files alone",
    "keys show": "files alone",
    "policy check": "files alone",
    "policy test": "files alone",
    "registers subscribe": "changes a file; the Kafka it may ask for the policy is in SPEAKING",
    "registers speaks-for": "changes a file",
    "schemas check": "files alone",
    "simulate": "files alone",
}

# What stands in braces is filled in by `words_of`; `ALERT` is an alert that the lead was told.
SPEAKING: Mapping[str, str] = {
    "acknowledge": "{lead} {alert}",
    "act": "{lead} {alert}",
    "connect": "sui-extract --agency {council} --inbox {inbox} --once",
    "dead-letters list": "",
    "dead-letters show": "events.police.v1/0@0",
    "dead-letters redrive": "--all",
    "dead-letters close": "--reason bad_signature --because sent-again",
    "doctor": "",
    "explain": "--event 0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f",
    "lag": "--for 0",
    "outcome": "{lead} {alert} assessment",
    "policy release": "--on 2026-11-22",
    "policy show": "",
    "publish": "{events} --agency urn:100001",
    "reconcile": "",
    "registers release": "{registers}",
    "registers show": "",
    "registers vouch": "",
    "reviews list": "",
    "reviews show": "r-123456",
    "reviews link": "r-123456 --reason why",
    "reviews reject": "r-123456 --reason why",
    "run": "",
    "subscribe": "{lead} --until-now",
    "topics access": "",
    "topics apply": "--yes",
}

# Other ways to call the same command, which speak to Kafka elsewhere in the program.
ALSO: tuple[str, ...] = (
    "connect encompass-notice --deliver {lead} --outbox {outbox} --once",
    "lag --watch",
    "registers subscribe hub --registers {registers} --everything",
    "subscribe {lead}",
)


def words_of(area: Area, call: str, alert: str = "d-aaaaaaaa") -> list[str]:
    """Fill in what a call names, with files that are there."""
    events, inbox = area.folder / "events.jsonl", area.folder / "inbox"
    events.touch()
    inbox.mkdir(exist_ok=True)
    places = {"events": events, "inbox": inbox, "outbox": area.folder / "outbox", "registers": area.registers_file}
    return call.format(lead=LEAD, council=COUNCIL, alert=alert, **places).split()


CALLS = (*(f"{name} {words}".strip() for name, words in SPEAKING.items()), *ALSO)
