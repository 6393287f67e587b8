"""It was the wrong child: whoever was told hears it, in whichever order what was said becomes known (I7, R23)."""

import random

import pytest

from broker import codec
from broker.core.model.event import Action, Event
from broker.core.model.ports import CAUSE, ORIGIN, Outgoing, Position
from broker.stream.identify.trail import bare
from broker.stream.intake import candidate_key, trail_of
from broker.stream.topics import CANDIDATES, SUBJECTS
from tests.stream.identify_runner import SECRETS, Runner
from tests.stream.lines import CHILD, HUB, SCHOOL, ALine, a_protection, a_retraction, an_event, an_update, on_roll
from tests.stream.people import NHS, POLICE, attended, notified, registered
from tests.stream.people import an_event as said_of

ALFIE = {"given": "Alfie", "born": "2015-03-02", "nhs": NHS[0]}
BEA = {"given": "Bea", "born": "2016-04-03", "nhs": NHS[1]}
NOBODY = {"born": None}


def take_in(runner: Runner, *events: Event) -> None:
    """Put events into the log as intake does, with what it tells of those that change others."""
    for event in events:
        trail, key = trail_of(SECRETS, event), candidate_key(SECRETS, event)
        if trail is None:
            runner.publish(event)
            continue
        place = Position("events.tests.v1/0", runner.published)
        runner.published += 1
        says_nothing = key.startswith("n-")
        message = {"kind": "EVENT", "event": codec.encode_event(event), "hub": "hub"}
        headers = ((ORIGIN, bytes(place)), (CAUSE, bytes(place)))
        runner.append(
            Outgoing(CANDIDATES, (trail if says_nothing else key).encode(), codec.encode("candidate", message), headers)
        )
        if not says_nothing:
            told = {"kind": "EVENT", "event": codec.encode_event(bare(event)), "changes": True}
            cause = ((CAUSE, bytes(place._replace(output=1))),)
            runner.append(Outgoing(CANDIDATES, trail.encode(), codec.encode("candidate", told), cause))


def moved(runner: Runner) -> set[tuple[str, str, str]]:
    """Return which lines were told that something ended there: the line, the event that says so, and where that went."""
    found = set()
    for one in runner.written:
        message = codec.decode("subject_record", one.value or b"") if one.topic == SUBJECTS else {"moved_to": None}
        if message["moved_to"] is not None:
            found.add(((one.key or b"").decode(), codec.decode_header(message["event"]).event_id, message["moved_to"]))
    return found


def two_children(runner: Runner) -> tuple[str, str]:
    take_in(runner, registered(event_id="alfie", **ALFIE), registered(event_id="bea", **BEA))
    runner.run()
    lines = runner.lines()
    return next(one for one in lines if "alfie" in lines[one]), next(one for one in lines if "bea" in lines[one])


def an_update_about(child: dict[str, str | None], of: str = "first", name: str = "second") -> Event:
    return attended(event_id=name, action=Action.UPDATE, supersedes=of, **child)


def back(of: str = "first", name: str = "back", **child: str | None) -> Event:
    return attended(event_id=name, action=Action.RETRACT, supersedes=of, **(child or NOBODY))


def test_an_update_that_names_another_child_goes_to_that_child_and_ends_on_the_first() -> None:
    runner = Runner()
    alfie, bea = two_children(runner)

    take_in(runner, attended(event_id="first", **ALFIE), an_update_about(BEA))
    runner.run()

    assert "second" in runner.lines()[bea]
    assert moved(runner) == {(alfie, "second", bea)}


def test_an_update_about_the_same_child_moves_nothing() -> None:
    runner = Runner()
    two_children(runner)

    take_in(runner, attended(event_id="first", **ALFIE), an_update_about(ALFIE))
    runner.run()

    assert moved(runner) == set()


def test_a_retraction_that_names_nobody_goes_where_its_event_went_and_nobody_is_asked() -> None:
    runner = Runner()
    alfie, _ = two_children(runner)

    take_in(runner, attended(event_id="first", **ALFIE))
    runner.run()
    take_in(runner, back())
    runner.run()

    assert "back" in runner.lines()[alfie]
    assert runner.reviews() == []


def test_a_retraction_that_comes_before_its_event_reaches_the_child_when_the_event_does() -> None:
    runner = Runner()
    alfie, _ = two_children(runner)

    take_in(runner, back())
    runner.run()
    take_in(runner, attended(event_id="first", **ALFIE))
    runner.run()

    assert moved(runner) == {(alfie, "back", "")}


def test_nobody_elses_update_or_retraction_moves_an_event() -> None:
    runner = Runner()
    two_children(runner)

    theirs = said_of("police.encompass.notified", POLICE, event_id="second", action=Action.UPDATE, supersedes="first", **BEA)
    take_in(runner, attended(event_id="first", **ALFIE), theirs)
    runner.run()

    assert moved(runner) == set()


def test_a_chain_of_versions_ends_wherever_it_went_before_the_last() -> None:
    runner = Runner()
    alfie, bea = two_children(runner)

    chain = (an_update_about(BEA), an_update_about(ALFIE, of="second", name="third"), back(of="third", **BEA))
    take_in(runner, attended(event_id="first", **ALFIE), *chain)
    runner.run()

    assert {(alfie, "second", bea), (bea, "third", alfie), (alfie, "back", "")} <= moved(runner)


def test_an_event_that_a_person_gave_to_a_child_after_its_later_version_went_to_another_ends_there() -> None:
    runner = Runner()
    alfie, bea = two_children(runner)
    take_in(runner, notified(event_id="first", given="Alfie", family="Marsh", born="2015-03-09"))
    runner.run()
    (review,) = runner.reviews()
    take_in(runner, notified(event_id="second", action=Action.UPDATE, supersedes="first", **BEA))
    runner.run()
    assert moved(runner) == set()

    went = {"event_id": "first", "supersedes": None, "child_ref": alfie}
    key = SECRETS.trail_key(POLICE, "first").encode()
    runner.append(Outgoing(CANDIDATES, key, codec.encode("candidate", {"kind": "ANSWER", "went": went})))
    runner.run()

    assert review["event_id"] == "first"
    assert moved(runner) == {(alfie, "second", bea)}


@pytest.mark.parametrize("seed", range(60))
def test_the_lines_hear_the_same_in_every_order_and_over_every_crash(seed: int) -> None:
    chance = random.Random(seed)
    runner = Runner(chance=chance)
    alfie, bea = two_children(runner)
    said = [attended(event_id="first", **ALFIE), an_update_about(BEA), an_update_about(ALFIE, of="second", name="third")]
    chance.shuffle(said)

    take_in(runner, *said)
    while any(runner.done.get(one, 0) < len(log) for one, log in runner.log.items()):
        partition = chance.choice([p for p, log in runner.log.items() if runner.done.get(p, 0) < len(log)])
        begin = runner.done.get(partition, 0)
        effects = runner.step(partition, runner.log[partition][begin : begin + 2])
        if chance.random() < 0.3:
            runner.tasks.pop(partition)  # it crashed; what it wrote is there, its state up to some record, uncommitted
            states = list(effects.state.values())
            runner.write(partition, effects, state=states[: chance.randint(0, len(states))])
            continue
        runner.write(partition, effects)
        runner.done[partition] = min(begin + 2, len(runner.log[partition]))

    assert moved(runner) == {(alfie, "second", bea), (bea, "third", alfie)}


def elsewhere(line: ALine, event: Event, to: str) -> ALine:
    message = {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(bare(event)), "moved_to": to}
    line.feed(message, key=CHILD.encode())
    return line


@pytest.mark.parametrize(("event", "to"), [(an_update("e1", "e2"), "c-other"), (a_retraction("e1"), "")])
def test_everybody_who_was_told_on_the_first_childs_line_is_told_to_stop_using_it(event: Event, to: str) -> None:
    line = ALine().take(on_roll(), an_event("e1"))

    elsewhere(line, event, to)

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "RETRACTION"]
    assert line.disclosures(HUB)[-1]["kind"] == "RETRACTION"


def test_what_moved_ends_here_once_and_also_while_the_line_is_held() -> None:
    line = ALine().take(on_roll(), an_event("e1"), a_protection(kind="nonsense"))

    elsewhere(elsewhere(line, an_update("e1", "e2"), "c-other"), an_update("e1", "e2"), "c-other")

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "RETRACTION"]


def test_what_moved_to_a_record_of_the_same_child_ends_nothing() -> None:
    line = ALine().take(on_roll(), an_event("e1"), an_update("e1", "e2"))

    elsewhere(elsewhere(line, an_update("e1", "e2"), "c-other"), an_update("e1", "e3"), CHILD)

    assert "RETRACTION" not in {one["kind"] for one in line.disclosures()}


def test_another_agency_ends_nothing_here() -> None:
    line = ALine().take(on_roll(), an_event("e1"))

    elsewhere(line, an_update("e1", "e2", producer="urn:100001"), "c-other")

    assert "RETRACTION" not in {one["kind"] for one in line.disclosures()}


def test_an_event_that_comes_after_it_moved_is_told_to_nobody() -> None:
    line = ALine().take(on_roll())
    elsewhere(line, a_retraction("e1"), "")

    line.take(an_event("e1"))

    assert line.disclosures() == []


@pytest.mark.parametrize("child", [NOBODY, ALFIE])
@pytest.mark.parametrize("seed", range(5))
def test_a_version_that_waits_for_its_number_comes_to_no_line_as_if_it_had_not_been_taken_back(
    seed: int, child: dict[str, str | None]
) -> None:
    """The agency said all in order; the retraction had nothing to wait for, came first, and the version stood for ever."""
    runner = Runner(chance=random.Random(seed))
    take_in(runner, registered(event_id="alfie", **ALFIE))
    runner.run()
    (line,) = runner.lines()
    second = attended(event_id="second", action=Action.UPDATE, supersedes="first", local="M9", **ALFIE)
    take_in(runner, attended(event_id="first", **ALFIE), second, back(**child))
    runner.run()

    sent = [codec.decode("subject_record", one.value or b"") for one in runner.written if one.topic == SUBJECTS]
    heads = [(one["moved_to"], codec.decode_header(one["event"])) for one in sent if one["kind"] == "EVENT"]
    at = [head.event_id for _, head in heads].index("second")
    over = [head.supersedes for to, head in heads[at:] if head.action is Action.RETRACT and to in {None, ""}]
    assert {"first", "second"} & set(over), "a line is told again, behind what it was told too early"
    assert line in runner.lines()
