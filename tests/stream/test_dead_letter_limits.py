"""A bad release stops the line; no sender can, whatever it sends and whoever it claims to be."""

import dataclasses
from collections.abc import Iterable, Sequence

import pytest

from broker import codec
from broker.core.model.identifiers import AgencyId, Digest, Millis
from broker.core.model.ports import Effects, Record, Task
from broker.core.model.registers import Agency, Area, Registers, SigningKey
from broker.errors import OURS, DeadLetterLimitError, NothingInForceError, RejectError
from broker.sealing.signatures import Signer, new_key
from broker.stream.engine.chunk import DeadLetterLimits, take
from broker.stream.intake import Intake
from broker.stream.publish import signed_record
from tests.stream.identify_runner import SECRETS, FixedRegisters
from tests.stream.lines import CHILD, ALine, an_event, on_roll
from tests.stream.people import _SECTORS, COUNCIL, POLICE, SCHOOL, TRUST
from tests.stream.people import an_event as said_by

pytestmark = pytest.mark.search

NOW = 2_000_000
TYPES = {COUNCIL: "council.person.registered", POLICE: "police.missing.reported", SCHOOL: "school.pupil.registered",
         TRUST: "health.patient.registered"}  # fmt: skip


@dataclasses.dataclass
class Gate:
    """The stage `intake` behind registers with four agencies, and what they publish."""

    signers: dict[str, Signer]
    agencies: Iterable[str]

    def task(self) -> Task:
        keys = {
            one.key_id: SigningKey(id=one.key_id, holder=one.holder, public_key=one.public_key) for one in self.signers.values()
        }
        agencies = {
            AgencyId(one): Agency(id=AgencyId(one), name=one, sector=_SECTORS[one], area=COUNCIL) for one in self.agencies
        }  # type: ignore[call-arg]  # the rest has defaults
        areas = {COUNCIL: Area(id=COUNCIL, name="Eskshire", hub="hub")}
        registers = Registers(version="1", digest=Digest(""), agencies=agencies, keys=keys, recipients={}, areas=areas)
        return Intake(SECRETS, FixedRegisters(registers)).open(0, {})

    def record(self, agency: str, *, good: bool = True, ahead: int = 0, **headers: bytes) -> Record:
        others = TYPES[POLICE if agency == COUNCIL else COUNCIL]  # what it may not say under these registers
        event = said_by(TYPES[agency] if good else others, agency)
        at = Millis(NOW + ahead)
        out = signed_record(
            self.signers[agency], dataclasses.replace(event, header=dataclasses.replace(event.header, recorded_at=at))
        )
        kept = [one for one in out.headers if one[0] not in headers]
        return Record(out.topic, 3, 0, NOW, out.key, out.value, (*kept, *headers.items()))

    def meet(self, records: Sequence[Record], limits: DeadLetterLimits | None = None) -> int:
        """Let intake take records in chunks, as the line does; return how many became dead letters."""
        task, limits = self.task(), limits or DeadLetterLimits()
        made = [take(task, records[at : at + 1_000], limits) for at in range(0, len(records), 1_000)]
        return sum(out.topic == "dead-letters.v1" for effects in made for out in effects.outputs)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    folder = tmp_path_factory.mktemp("keys")
    return Gate({one: new_key(folder, one) for one in TYPES}, TYPES)


def test_ten_thousand_bad_records_of_one_agency_stop_nobody(gate: Gate) -> None:
    """Also with a bad record of another in their middle: what goes wrong every day must not add up to a bad release."""
    bad, good = gate.record(POLICE, good=False), [gate.record(SCHOOL), gate.record(TRUST)]
    flood = [*good, *[bad] * 5_000, gate.record(TRUST, good=False), *[bad] * 5_000, *good]

    assert gate.meet(flood) == 10_001


def test_agencies_whose_clocks_are_fast_stop_nobody(gate: Gate) -> None:
    """No release would take such a record, so none can be the cause: what others say must go on."""
    fast = [gate.record(agency, ahead=360_000) for agency in (SCHOOL, TRUST, POLICE) for _ in range(1_000)]
    limits = DeadLetterLimits()

    assert gate.meet(fast, limits) == 3_000
    assert gate.meet([gate.record(COUNCIL)] * 10, limits) == 0


def test_bad_records_of_one_agency_between_good_ones_of_others_stop_nobody(gate: Gate) -> None:
    bad, good = gate.record(POLICE, good=False), gate.record(SCHOOL)

    assert gate.meet([bad, bad, bad, good] * 2_500) == 7_500


@pytest.mark.parametrize("broken", ["no agency is registered", "every clock is ahead", "no schema is known"])
def test_a_bad_release_stops_the_line_before_much_is_a_dead_letter(gate: Gate, broken: str) -> None:
    release = dataclasses.replace(gate, agencies=()) if broken == "no agency is registered" else gate
    records = [release.record(one, good=broken != "every clock is ahead") for one in TYPES]
    if broken == "no schema is known":
        records = [resigned(gate, one, b"\0\0\0\0\x63rest") for one in TYPES]

    with pytest.raises(DeadLetterLimitError, match=r"26\d records in a row"):
        release.meet(records * 500)


def resigned(gate: Gate, agency: str, value: bytes) -> Record:
    """Return an agency's record with bytes that this release cannot read, signed by the agency."""
    record = gate.record(agency)
    ce_id = (record.header("ce_id") or b"").decode()
    return dataclasses.replace(
        record, value=value, headers=(("ce_id", ce_id.encode()), *gate.signers[agency].headers(record.topic, value, ce_id))
    )


def test_a_release_under_which_much_but_not_all_is_refused_stops_the_line(gate: Gate) -> None:
    bad, good = [gate.record(one, good=False) for one in TYPES], gate.record(SCHOOL)

    with pytest.raises(DeadLetterLimitError, match="of 1000 records would be dead-lettered"):
        gate.meet([*bad, good] * 1_000)


def test_junk_without_any_header_stops_nobody(gate: Gate) -> None:
    junk = Record("events.police.v1", 3, 0, NOW, None, b"junk")

    assert gate.meet([*[junk] * 10_000, gate.record(SCHOOL)]) == 10_000


@pytest.mark.parametrize("stolen", [False, True])
def test_whoever_claims_to_be_one_after_another_stops_nobody(gate: Gate, stolen: bool) -> None:
    """Neither with invented names nor with those of others, their keys' names and all: a claim is no proof."""
    names = [gate.signers[one].key_id for one in TYPES] if stolen else [f"agency-{at}/key" for at in range(300)]
    claims = [gate.record(POLICE, ce_source=name.encode(), sb_key_id=name.encode(), sb_signature=b"x" * 64) for name in names]

    assert gate.meet(claims * (10_000 // len(claims))) >= 9_900


def test_a_topic_with_a_single_publisher_goes_on_past_its_bad_records(gate: Gate) -> None:
    """Nobody can tell its junk from a bad release; its records wait as dead letters, and can be put back after either."""
    alone = dataclasses.replace(gate, agencies=(POLICE,))
    limits = DeadLetterLimits()

    assert alone.meet([gate.record(POLICE, good=False)] * 1_000, limits) == 1_000
    assert limits.in_a_row == 1_000, "the log says so"


def test_what_the_broker_wrote_itself_counts_alone(gate: Gate) -> None:
    """Between stages there is no junk of agencies: what cannot be read there is a bad release."""
    record = Record("subjects.v1", 0, 0, NOW, CHILD.encode(), b"\0\0\0\0\x63rest")

    with pytest.raises(DeadLetterLimitError, match="200 records in a row"):
        take(ALine().task, [record] * 1_000, DeadLetterLimits())


def test_what_is_refused_on_a_childs_line_is_of_who_published_it() -> None:
    line, unreleased = ALine().take(on_roll(), an_event()), ALine(in_force=False)
    event = codec.encode_event(an_event(body={"concern": {"grade": "low"}}))
    message = codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": event})

    with pytest.raises(RejectError) as refused:
        line.task.step(line.record(message, CHILD.encode()), Effects())
    with pytest.raises(NothingInForceError) as early:
        unreleased.task.step(unreleased.record(message, CHILD.encode()), Effects())

    assert (refused.value.sender, early.value.sender) == (an_event().header.producer, OURS)
