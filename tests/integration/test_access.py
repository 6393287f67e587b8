"""Kafka itself lets an agency publish only as itself, and read only what was disclosed to it (I10), whatever client it brings.

Every attempt is made three times: where the access lists are as declared; where one was widened by hand; and on a Kafka that
checks nobody's rights, where all of them succeed: it is the access lists that refuse, and nothing else.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from broker.errors import StopError, TopicsMissingError
from broker.kafkaaccess import Kafka, KafkaPlace, KafkaPrincipals
from broker.sealing.signatures import key_file
from broker.settings import load_settings
from broker.stream.access_admin import change_access, look_at_access
from broker.stream.access_lists import AccessDifference, Entry, Kind, Operation, declare
from broker.stream.client_options import client_options
from broker.stream.kafka_identity import keep_identity
from broker.stream.node.kafka_embedded import EmbeddedNode
from broker.stream.recognise import read_identity
from broker.stream.watching.places import places_of
from tests.area import POLICE, Area, on_roll
from tests.guarded import ROOT_USER, GuardedKafka
from tests.integration.apache_kafka import need_apache_kafka
from tests.worker import Worker, wait_for

pytestmark = pytest.mark.kafka
SCHOOL, LEAD, OTHER_LEAD = "urn:100001", "dsl-100001", "dsl-100002"
PRINCIPALS = {POLICE: "police", SCHOOL: "school", LEAD: "lead", OTHER_LEAD: "other-lead"}
OWN = {"broker": "the-broker", "administrator": "administrator", "auditor": "auditor", "operator": "operator"}
OWN_PRINCIPALS = "[kafka_principals]\n" + "".join(f'{role} = ["{name}"]\n' for role, name in OWN.items())
REFUSED = (TopicAuthorizationFailedError, GroupAuthorizationFailedError)
WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """A guarded Kafka, the broker's own place at it, and places of others, each with a settings file of its own."""

    node: GuardedKafka
    area: Area

    def settings_of(self, user: str, *holders: str) -> Path:
        """Return the settings with which a user comes, at a place that holds the keys of these holders alone."""
        folder = self.area.folder / user
        (folder / "keys").mkdir(parents=True, exist_ok=True)
        for holder in holders:
            key_file(folder / "keys", holder).write_bytes(key_file(self.area.folder / "keys", holder).read_bytes())
            key_file(folder / "keys", holder).chmod(0o600)
        plain = self.area.settings_file.read_text().partition("[")[0]
        file = folder / "broker.toml"
        file.write_text(f"{plain}{self.node.access(user)}{OWN_PRINCIPALS}")
        return file

    def kafka(self, user: str) -> KafkaPlace:
        return load_settings(self.settings_of(user)).kafka


Applied = tuple[Place, list[subprocess.CompletedProcess[str]]]


def broker(settings: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "broker", *words, "--settings", str(settings)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A guarded Kafka with nothing in it, and an area whose agencies and leads have principals."""
    need_apache_kafka()
    node = GuardedKafka(tmp_path_factory.mktemp("guarded"), [*PRINCIPALS.values(), *OWN.values()])
    area = Area(tmp_path_factory.mktemp("area"), node.by_password)
    area.write()
    for holder, principal in PRINCIPALS.items():
        text = area.registers_file.read_text()
        area.registers_file.write_text(text.replace(f'\nid = "{holder}"\n', f'\nid = "{holder}"\nprincipal = "{principal}"\n'))
    found = Place(node.start(), area)
    area.settings_file.write_text(area.settings_file.read_text() + node.access(OWN["broker"]) + OWN_PRINCIPALS)
    yield found
    node.stop()


@pytest.fixture(scope="module")
def applied(place: Place) -> Applied:
    """The same with topics and access lists as declared: shown first, done, and shown again."""
    root = place.settings_of(ROOT_USER)
    words = ["topics", "apply", "--registers", str(place.area.registers_file)]
    return place, [broker(root, *words), broker(root, *words, "--yes"), broker(root, *words)]


def test_access_is_shown_then_set_then_as_declared(applied: Applied) -> None:
    _, (shown, done, after) = applied

    assert (shown.returncode, done.returncode, after.returncode) == (1, 0, 0), shown.stderr + done.stderr + after.stderr
    assert "permit: `User:police` may write topic `events.police.v1`" in shown.stdout
    assert "permit: `User:lead` may read topic `disclosures.dsl-100001.v1`" in shown.stdout
    assert "nothing was changed" in shown.stdout
    assert "entries of Kafka's access lists are as declared" in after.stdout


def test_an_administrator_may_compare_and_apply_and_a_publisher_may_not(applied: Applied) -> None:
    place, _ = applied
    words = ["topics", "apply", "--registers", str(place.area.registers_file), "--yes"]

    by_administrator = broker(place.settings_of(OWN["administrator"]), *words)
    by_police = broker(place.settings_of("police"), *words)

    assert by_administrator.returncode == 0, by_administrator.stderr
    assert by_police.returncode != 0
    assert "Traceback" not in by_police.stderr


def test_a_topic_that_an_access_list_hides_is_not_said_to_be_gone_nor_waited_for(applied: Applied) -> None:
    """At a place that knows every topic."""
    place, _ = applied
    police, known = place.kafka("police"), asyncio.run(read_identity(place.kafka(ROOT_USER)))
    keep_identity(known, known.topics, police.known)

    with pytest.raises(StopError, match=r"`audit.v1`: Kafka does not permit it to this principal"):
        asyncio.run(places_of(police, ["registers.v1", "audit.v1"]))
    with pytest.raises(TopicsMissingError, match=r"topic `disclosures.nobody.v1` is not there yet"):
        asyncio.run(places_of(place.kafka(OWN["broker"]), ["disclosures.nobody.v1"]))


async def writes(kafka: Kafka, topic: str) -> bool:
    """Tell whether a client of somebody's own may write there."""
    producer = AIOKafkaProducer(**client_options(kafka), acks="all", request_timeout_ms=5_000)
    await producer.start()
    try:
        await asyncio.wait_for(producer.send_and_wait(topic, b"what anybody sends", key=b"k", partition=0), WAIT_S)
    except REFUSED:
        return False
    finally:
        await producer.stop()
    return True


async def reads(kafka: Kafka, topic: str, group: str | None = None) -> bool:
    """Tell whether a client of somebody's own may read there, by a group or without."""
    consumer = AIOKafkaConsumer(**client_options(kafka), group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        await consumer._client.force_metadata_update()
        if topic in consumer._client.cluster.unauthorized_topics:
            return False  # the client itself would ask again for ever
        await asyncio.wait_for(consumer.seek_to_beginning(place), WAIT_S)
        await consumer.getmany(timeout_ms=1_000)
        if group is not None:
            await asyncio.wait_for(consumer.commit({place: 0}), WAIT_S)
    except REFUSED:
        return False
    finally:
        with contextlib.suppress(*REFUSED):
            await consumer.stop()
    return True


BROKERS = ["candidates.v1", "subjects.v1", "facts.v1", "audit.v1", "disclosures.v1", "reviews.v1", "registers.v1", "policies.v1"]
POLICE_WRITES = ["events.schools.v1", "events.health.v1", "receipts.v1", "disclosures.dsl-100001.v1", *BROKERS]
POLICE_READS = ["events.police.v1", "disclosures.v1", "disclosures.dsl-100001.v1", "audit.v1", "subjects.v1", "receipts.v1"]
LEAD_READS = ["disclosures.dsl-100002.v1", "disclosures.v1", "events.schools.v1", "audit.v1", "receipts.v1", "reviews.v1"]
LEAD_WRITES = ["events.schools.v1", "disclosures.dsl-100001.v1", "subjects.v1", "registers.v1"]
OWN_TOPIC, OWN_GROUP = "disclosures.dsl-100001.v1", "disclosures.dsl-100001.v1/desk"
LEAD_GROUPS = ["disclosures.dsl-100002.v1/desk", "safeguarding-broker", "anything"]


def attempts(police: Kafka, lead: Kafka) -> dict[str, Callable[[], Awaitable[bool]]]:
    """What the two try with a client of their own: what is theirs, and what is not."""
    return {
        **{f"police writes {topic}": partial(writes, police, topic) for topic in ["events.police.v1", *POLICE_WRITES]},
        **{f"police reads {topic}": partial(reads, police, topic) for topic in ["registers.v1", *POLICE_READS]},
        **{f"lead reads {topic}": partial(reads, lead, topic) for topic in [OWN_TOPIC, *LEAD_READS]},
        **{f"lead writes {topic}": partial(writes, lead, topic) for topic in ["receipts.v1", *LEAD_WRITES]},
        **{f"lead by group {group}": partial(reads, lead, OWN_TOPIC, group) for group in [OWN_GROUP, *LEAD_GROUPS]},
    }


async def succeeding(tried: Mapping[str, Callable[[], Awaitable[bool]]]) -> set[str]:
    """Make every attempt and return those that succeed."""
    return {name for name, attempt in tried.items() if await attempt()}


PERMITTED = {
    "police writes events.police.v1",
    "police reads registers.v1",
    f"lead reads {OWN_TOPIC}",
    "lead writes receipts.v1",
    f"lead by group {OWN_GROUP}",
}


def test_a_client_of_their_own_does_what_is_theirs_and_nothing_else(applied: Applied) -> None:
    place, _ = applied

    assert asyncio.run(succeeding(attempts(place.kafka("police"), place.kafka("lead")))) == PERMITTED


def test_what_somebody_permitted_by_hand_works_until_it_is_taken_away_as_it_was_shown(applied: Applied) -> None:
    """The control: the same attempt succeeds with one entry more, and what is nobody's business here stays."""
    place, _ = applied
    stray = Entry("User:police", Operation.READ, Kind.TOPIC, "disclosures.v1")
    theirs = Entry("User:billing", Operation.READ, Kind.TOPIC, "invoices")
    settings = load_settings(place.settings_of(ROOT_USER))
    with_stray = declare(settings.kafka_principals, None, settings.group)
    words = ["topics", "apply", "--registers", str(place.area.registers_file)]

    asyncio.run(change_access(settings.kafka, with_stray, AccessDifference(missing=(stray, theirs))))
    before = asyncio.run(reads(place.kafka("police"), "disclosures.v1"))
    shown = broker(place.settings_of(ROOT_USER), *words)
    done = broker(place.settings_of(ROOT_USER), *words, "--yes")
    after = asyncio.run(reads(place.kafka("police"), "disclosures.v1"))

    assert (before, after) == (True, False)
    assert shown.stdout.splitlines()[0] == "take away: `User:police` may read topic `disclosures.v1`, which nobody declared"
    assert "invoices" not in shown.stdout + done.stdout
    assert (shown.returncode, done.returncode) == (1, 0)


def test_a_kafka_that_checks_nobody_refuses_nothing_and_the_command_says_so(area: Area) -> None:
    """The control: every attempt that was refused above succeeds here."""
    tried = attempts(area.kafka, area.kafka)
    succeeded = asyncio.run(succeeding(tried))
    said = broker(area.settings_file, "topics", "apply", "--registers", str(area.registers_file))

    assert succeeded == set(tried)
    assert succeeded > PERMITTED
    assert "Kafka checks nobody's rights here: whoever reaches it may read and write everything" in said.stdout
    assert said.returncode == 0


async def test_the_embedded_broker_checks_nobody() -> None:
    """It answers as a Kafka would whose access lists are empty."""
    node = EmbeddedNode()
    address = node.start()
    try:
        assert await look_at_access(address, declare(KafkaPrincipals(), None, "safeguarding-broker")) is None
    finally:
        node.stop()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_lets_nobody_in_and_the_right_one_does(applied: Applied, mechanism: str) -> None:
    place, _ = applied
    folder = place.area.folder / f"by-{mechanism}"
    folder.mkdir()
    plain = place.area.settings_file.read_text().partition("[")[0]
    file = folder / "broker.toml"

    file.write_text(plain + place.node.access("police", mechanism=mechanism))
    right = asyncio.run(writes(load_settings(file).kafka, "events.police.v1"))
    file.write_text(plain + place.node.access("police", mechanism=mechanism, password="guessed"))
    wrong = broker(file, "registers", "show")

    assert right
    assert wrong.returncode != 0
    assert "`kafka_access` is how it lets you in" in wrong.stderr
    assert "guessed" not in wrong.stdout + wrong.stderr
    place.node.access("police")


def test_a_client_certificate_is_a_principal_as_well(applied: Applied) -> None:
    place, _ = applied
    folder = place.area.folder / "by-certificate"
    folder.mkdir()
    plain = place.area.settings_file.read_text().partition("[")[0].replace(place.node.by_password, place.node.by_certificate)
    (folder / "broker.toml").write_text(plain + place.node.access_by_certificate("police"))
    kafka = load_settings(folder / "broker.toml").kafka

    assert asyncio.run(writes(kafka, "events.police.v1"))
    assert not asyncio.run(writes(kafka, "events.schools.v1"))


def test_the_brokers_own_people_do_what_their_office_is_and_no_more(applied: Applied) -> None:
    place, _ = applied
    auditor, operator, administrator = (place.kafka(OWN[role]) for role in ("auditor", "operator", "administrator"))
    tried = {
        **{f"auditor reads {topic}": partial(reads, auditor, topic) for topic in ["audit.v1", "subjects.v1", "disclosures.v1"]},
        **{f"operator reads {topic}": partial(reads, operator, topic) for topic in ["dead-letters.v1", "events.police.v1"]},
        **{f"administrator reads {topic}": partial(reads, administrator, topic) for topic in ["registers.v1", "audit.v1"]},
        "auditor writes audit.v1": partial(writes, auditor, "audit.v1"),
        "operator writes dead-letters.v1": partial(writes, operator, "dead-letters.v1"),
        "administrator writes registers.v1": partial(writes, administrator, "registers.v1"),
    }

    done = asyncio.run(succeeding(tried))

    assert done == {"auditor reads audit.v1", "operator reads dead-letters.v1", "administrator reads registers.v1"}


def test_an_agencys_own_system_publishes_by_command_as_who_it_is(applied: Applied) -> None:
    """Of all topics of events the command sees its own sector's alone."""
    place, _ = applied
    event = {
        "header": {"event_type": "school.concern.raised", "recorded_at": datetime.now(UTC).isoformat(timespec="seconds")},
        "identity": {"names": [{"given": "Alfie", "family": "Marsh"}], "birth_date": "2015-03-02"},
    }
    (place.area.folder / "events.jsonl").write_text(json.dumps(event) + "\n")

    done = broker(place.settings_of("school", SCHOOL), "publish", str(place.area.folder / "events.jsonl"), "--agency", SCHOOL)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1" in done.stdout


NOTICE = """\
OPERATION ENCOMPASS NOTICE
Police reference: 42/0000001/26
Incident: 2026-11-20 21:40
Child first name: {child.name[given]}
Child surname: {child.name[family]}
Date of birth: {child.birth_date}
School URN: {number}
Child present: yes
Welfare check: yes
Circumstances: Nobody was hurt.
END OF NOTICE
"""


def publish(place: Place) -> subprocess.CompletedProcess[str]:
    """A school says by a client of its own who is on its roll; then the police's connector takes a notice about that child."""
    area, child = place.area, place.area.child(0)
    record = area.sign(on_roll(child))
    inbox = area.folder / "inbox"
    inbox.mkdir()
    (inbox / "notice.txt").write_text(NOTICE.format(child=child, number=child.school[4:]))

    async def by_a_client_of_its_own() -> None:
        async with AIOKafkaProducer(**client_options(place.kafka("school")), acks="all", enable_idempotence=True) as producer:
            await producer.send_and_wait(record.topic, record.value, key=record.key, headers=list(record.headers))

    asyncio.run(by_a_client_of_its_own())
    police = place.settings_of("police", POLICE)
    return broker(police, "connect", "encompass-notice", "--agency", POLICE, "--inbox", str(inbox), "--once")


def test_an_alert_goes_all_its_way_with_everybody_as_who_they_are(applied: Applied) -> None:
    """Releases, publishing, workers, the subscriber and its receipt: each program by its own principal."""
    place, _ = applied
    area, at_home = place.area, place.area.settings_file
    steps = [broker(at_home, "registers", "release", str(area.registers_file)), broker(at_home, "policy", "release")]
    assert [one.returncode for one in steps] == [0, 0], [one.stderr for one in steps]
    assert "principals changed: `broker topics apply` shows" in steps[0].stdout
    lead = place.settings_of("lead", LEAD)
    told: list[str] = []

    def heard() -> bool:
        said = broker(lead, "subscribe", LEAD, "--until-now", "--json")
        assert said.returncode == 0, said.stderr
        told.extend(said.stdout.splitlines())
        return bool(told)

    worker = Worker(area, "guarded").start()
    try:
        connected = publish(place)
        assert connected.returncode == 0, connected.stdout + connected.stderr
        assert wait_for(heard, 60, 1.0), worker.log.read_text()[-3000:]
        disclosed = json.loads(told[0])["disclosure_id"]
        answered = broker(lead, "acknowledge", LEAD, disclosed)
        lag = broker(at_home, "lag", "--json")
        doctor = [json.loads(line) for line in broker(at_home, "doctor", "--json").stdout.splitlines()]
        other = broker(place.settings_of("other-lead", OTHER_LEAD), "subscribe", OTHER_LEAD, "--until-now")
    finally:
        worker.stop()

    assert answered.returncode == 0, answered.stderr
    assert (lag.returncode, lag.stderr) == (0, "")
    assert [(one["state"], one["what"]) for one in doctor if one["what"] == "access"] == [("well", "access")], doctor
    assert (other.returncode, other.stdout.count("d-")) == (0, 0), other.stderr
    assert "password" not in worker.log.read_text()
    assert place.node.passwords[OWN["broker"]] not in worker.log.read_text()


def test_a_release_makes_the_topic_of_a_new_recipient_by_the_brokers_own_principal(applied: Applied) -> None:
    """It may create recipients' topics and no others: the rest is an administrator's to apply."""
    place, _ = applied
    text = place.area.registers_file.read_text().replace('version = "tests-1"', 'version = "tests-2"')
    entry = '\nid = "duty"\n'
    head, _, tail = text.partition(entry)
    (place.area.folder / "more.toml").write_text(head + entry + tail.replace("own_topic = false", "own_topic = true", 1))

    done = broker(place.area.settings_file, "registers", "release", str(place.area.folder / "more.toml"))
    topics = broker(place.area.settings_file, "topics", "apply", "--yes")

    assert done.returncode == 0, done.stderr
    assert (topics.returncode, "disclosures.duty.v1" in topics.stdout) == (0, False), topics.stderr
