"""`broker reviews`: who was not asked hears so at once and nothing is sent; who is asked sees what it needs to answer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from broker import codec
from broker.cli import cli, reviews
from broker.core.account.words import Words
from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, ChildRef, RecipientId, RoleName
from broker.core.model.ports import CAUSE, Record
from broker.core.model.registers import Area, Recipient, Registers
from broker.errors import InputError, NotFoundError
from broker.sealing.reviews import seal_event
from broker.sealing.secrets import new_master
from broker.sealing.signatures import new_key
from broker.stream.identify.state import Child, Exclusion, Guard
from broker.stream.watching import review_reader, told_before
from broker.stream.watching.review_reader import REJECT, Answer, KnownChild, Review, _Reviews, check_asked
from tests.stream.lines import HUB, POLICE_DESK, SCHOOL, SECRETS, a_signer, an_event, some_registers

OTHER_HUB, DUTY = "south-hub", "north-duty"


def with_other_hubs() -> Registers:
    registers = some_registers()
    other = Recipient(
        id=RecipientId(OTHER_HUB), name="South", agency=AgencyId("E2"), area="E2", roles=frozenset({RoleName("hub")})
    )
    area = Area(id="E10000030", name="North", hub=HUB, out_of_hours=RecipientId(DUTY))
    return replace(registers, recipients={**registers.recipients, other.id: other}, areas={area.id: area})


def a_review(
    kind: str = "ASK", asked: str = SCHOOL, event_type: str = "police.encompass.notified", child: str | None = "c-1"
) -> Review:
    message = {
        "review_id": "r-1", "kind": kind, "state": "OPEN", "for_recipient": asked, "event_type": event_type,
        "child_ref": child, "matching_key": "m-1",
    }  # fmt: skip
    return Review(message, None)


CASES = [
    ("who was asked", a_review(), SCHOOL, True),
    ("the child's hub, if it is", a_review(), HUB, True),
    ("a duty team, if it stands in for it", a_review(), DUTY, True),
    ("another desk", a_review(), POLICE_DESK, False),
    ("an agency that nobody asked", a_review(), "police:42", False),
    ("nobody", a_review(asked=""), "", False),
    ("of a finding, who was asked", a_review(event_type="control.finding"), SCHOOL, True),
    ("of a finding, no hub", a_review(event_type="control.finding"), HUB, False),
    ("of an event about nobody known, the hub that was asked", a_review("UNIDENTIFIED", HUB, child=None), HUB, True),
    ("that hub's own agency", a_review("UNIDENTIFIED", HUB, child=None), "E10000030", True),
    ("another hub", a_review("UNIDENTIFIED", HUB, child=None), OTHER_HUB, False),
    ("any hub where none could be asked", a_review("UNIDENTIFIED", "", child=None), OTHER_HUB, True),
    ("no desk where none could be asked", a_review("UNIDENTIFIED", "", child=None), SCHOOL, False),
]


@pytest.mark.parametrize(("review", "holder", "may"), [one[1:] for one in CASES], ids=[one[0] for one in CASES])
def test_who_may_decide_a_review_is_known_before_anything_is_sent(review: Review, holder: str, may: bool) -> None:
    if may:
        check_asked(review, holder, with_other_hubs())
        return
    with pytest.raises(InputError, match="was not asked"):
        check_asked(review, holder, with_other_hubs())


class _Book:
    def latest(self, _: str) -> bool:
        return True

    def newest(self) -> Registers:
        return with_other_hubs()


def test_the_command_sends_nothing_for_who_was_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    async def released(_: str) -> _Book:
        return _Book()

    async def send(_: str, made: Any) -> None:
        sent.append(made)

    for name, value in {"released": released, "answer": send, "check_key": lambda *_: None}.items():
        monkeypatch.setattr(reviews, name, value)
    monkeypatch.setattr(reviews, "load_signer", lambda _, holder: a_signer(holder))
    monkeypatch.setattr(reviews.Secrets, "load", lambda _: SECRETS)
    settings: Any = type("Places", (), {"keys": "keys", "kafka": "kafka"})

    with pytest.raises(InputError, match=f"`{POLICE_DESK}` was not asked, `{SCHOOL}` was: answer `--as {SCHOOL}`"):
        reviews._answer(settings, a_review(), Answer(REJECT, "no"), POLICE_DESK)
    assert sent == []

    reviews._answer(settings, a_review(), Answer(REJECT, "no"), None)
    assert len(sent) == 1


WHO = an_event(
    "e1",
    contact_point="ring at home",
    attributes={"threshold": "met"},
    body={
        "identity": {"names": [{"given": "Ada", "family": "Wexwick"}], "birth_date": "2017-01-15", "identifiers": []},
        "location": {"postcode": "ZZ1 1ZZ", "place": "the flat", "organisation": "urn:100001"},
        "contact": {"telephones": ["01234"]},
        "concern": {"reason": "coded"},
        "narrative": {"text": "the account"},
        "clinical": {"findings": "bruised"},
        "intelligence": {"text": "as heard", "handling_code": "P"},
        "third_party": {"people": [{"role": "suspect", "family": "Grimm"}]},
        "wish": {"words": "I hid"},
        "monitoring": {"faith": "none"},
    },
)
SECRET = (
    "ring at home", "threshold", "the flat", "01234", "coded", "the account", "bruised", "as heard", "Grimm", "I hid", "faith",
)  # fmt: skip


Show = Callable[..., str]


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    """`broker reviews show` of a review, as a person or a machine gets it."""
    file = tmp_path / "broker.toml"
    file.write_text('kafka = "127.0.0.1:1"\ndata = "state"\nkeys = "keys"\narea = "E10000030"\nmode = "live"\n')
    new_master(tmp_path / "keys")
    for holder in (HUB, OTHER_HUB, POLICE_DESK):
        new_key(tmp_path / "keys", holder)
    monkeypatch.setattr(reviews.Secrets, "load", lambda _: SECRETS)

    def show(review: Review, *more: str, told: Sequence[dict[str, Any]] = (), **known: Any) -> str:
        async def read(*_: Any, **__: Any) -> tuple[dict[str, Review], Words]:
            return {review.id: review}, Words()

        async def released(_: str) -> _Book:
            return _Book()

        async def children_known(*_: Any) -> dict[str, dict[str, Child]]:
            child = Child(exclusions=frozenset({Exclusion(OTHER_HUB, "by", "e", "e")}), **known)
            return {"c-2": {"m-1": child}, "c-3": {"m-1": Child()}}

        async def read_all(_: Any, topic: str, keys: Any) -> list[Record]:
            records = (Record(topic, 0, 0, 1, one["child"].encode(), codec.encode("disclosure", one)) for one in told)
            return [one for one in records if one.key and one.key.decode() in {*keys}]

        monkeypatch.setattr(told_before, "read_all", read_all)
        changed = {"_read": read, "released": released, "children_known": children_known, "check_key": lambda *_: None}
        for name, value in changed.items():
            monkeypatch.setattr(reviews, name, value)
        line = ["reviews", "show", review.id, "--settings", str(file), *more]
        done = CliRunner().invoke(cli, line)
        return done.output + str(done.exception or "")

    return show


def sealing(event: Event, kind: str, child: str | None, asked: str = HUB, *, guarded: bool = False) -> Review:
    plain = a_review(kind, asked, event.header.event_type, child)
    more = {
        "event_id": "e1", "producer": "police:42", "why": "x", "opened_at": 1, "accepted_at": 1, "due_at": None, "clock": None,
        "candidates": [] if child else ["c-2"], "resolution": None, "guarded": guarded,
    }  # fmt: skip
    return Review({**plain.message, **more}, None, seal_event(SECRETS, "r-1", codec.encode_event(event)))


@pytest.mark.parametrize("how", [(), ("--json",)])
@pytest.mark.parametrize("kind", ["UNIDENTIFIED", "AMBIGUOUS", "IDENTIFIER_CONFLICT", "HOLD"])
def test_who_is_asked_which_child_it_is_sees_who_it_may_be_and_nothing_else(kind: str, how: tuple[str, ...], shown: Show) -> None:
    out = shown(sealing(WHO, kind, None), *how)

    assert "Wexwick" in out
    assert [one for one in SECRET if one in out] == []
    assert ("ZZ1 1ZZ" in out) == (kind != "HOLD"), "what holds it may hide where the child is"
    assert how or "before it is known which child" in out
    assert "NOT_SAID" not in out
    assert "not said" not in out


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_the_place_that_a_protection_hides_is_in_no_question_about_whom_it_is_for(how: tuple[str, ...], shown: Show) -> None:
    header = replace(WHO.header, event_type="control.protection")
    event = replace(WHO, header=header, control={"kind": "safe_address", "state": "set"})
    out = shown(sealing(event, "AMBIGUOUS", None), *how)

    assert "Wexwick" in out
    assert [one for one in (*SECRET, "ZZ1 1ZZ", "urn:100001", "safe_address") if one in out] == []


@pytest.mark.parametrize("known", [{"guards": frozenset({Guard("protected_person", "E1")})}, {"holds": frozenset({"E1/e9"})}])
@pytest.mark.parametrize("kind", ["UNIDENTIFIED", "AMBIGUOUS", "IDENTIFIER_CONFLICT"])
def test_no_place_is_shown_where_one_of_the_children_that_it_may_be_is_guarded(
    kind: str, known: dict[str, frozenset[Any]], shown: Show
) -> None:
    out = shown(sealing(WHO, kind, None), **known)

    assert "Wexwick" in out
    assert [one for one in (*SECRET, "ZZ1 1ZZ", "urn:100001", "police:42") if one in out] == []


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_what_identify_knows_of_children_that_are_not_among_those_shown_counts_too(how: tuple[str, ...], shown: Show) -> None:
    out = shown(sealing(WHO, "UNIDENTIFIED", None, guarded=True), *how)

    assert "Wexwick" in out
    assert [one for one in (*SECRET, "ZZ1 1ZZ", "urn:100001", "police:42") if one in out] == []


@pytest.mark.parametrize(
    ("set_by", "named"),
    [(("E10000030",), True), (("police:42", "urn:100001"), True), (("E2",), False), (("E10000030", "E2"), False)],
    ids=["of its area", "two of its area", "of another", "of both"],
)
def test_where_the_protection_was_set_it_is_no_secret_who_published_the_event(
    set_by: tuple[str, ...], named: bool, shown: Show
) -> None:
    """Whoever set it while no other's stood may know what it hides; so the hub can ask the publisher."""
    guards = frozenset(Guard("safe_address", one) for one in set_by)
    out = shown(sealing(WHO, "AMBIGUOUS", None, guarded=True), guards=guards)

    assert ("police:42" in out) == named
    assert [one for one in (*SECRET, "ZZ1 1ZZ", "urn:100001") if one in out] == []


def test_what_holds_a_child_itself_names_its_publisher(shown: Show) -> None:
    """Whoever is asked about a protection in question has to be able to call who set it."""
    out = shown(sealing(WHO, "AMBIGUOUS", None), holds=frozenset({"police:42/e1"}))

    assert "police:42" in out
    assert [one for one in (*SECRET, "ZZ1 1ZZ", "urn:100001") if one in out] == []


@pytest.mark.parametrize("kind", ["ASK", "GAP", "HOLD"])
def test_of_a_known_child_all_is_shown_that_was_sealed_for_whom_it_asks(kind: str, shown: Show) -> None:
    assert "the account" in shown(sealing(WHO, kind, "c-1"))


LOOKS = [
    ("who was asked", sealing(WHO, "AMBIGUOUS", None), None, True),
    ("who was asked, by name", sealing(WHO, "AMBIGUOUS", None), HUB, True),
    ("another hub", sealing(WHO, "AMBIGUOUS", None), OTHER_HUB, False),
    ("a desk that nobody asked", sealing(WHO, "AMBIGUOUS", None), POLICE_DESK, False),
    ("another was asked, whose key is not here", sealing(WHO, "AMBIGUOUS", None, asked=DUTY), None, False),
    ("the excluded hub, for the stand-in", sealing(WHO, "AMBIGUOUS", None, asked=DUTY), HUB, False),
    ("the child's hub, what was asked of another", sealing(WHO, "ASK", "c-1", asked=POLICE_DESK), HUB, False),
    ("that other", sealing(WHO, "ASK", "c-1", asked=POLICE_DESK), POLICE_DESK, True),
    ("nobody was asked and nobody says who looks", sealing(WHO, "AMBIGUOUS", None, asked=""), None, False),
    ("a hub that nobody excludes", sealing(WHO, "AMBIGUOUS", None, asked=""), HUB, True),
    ("a hub that is excluded for the child", sealing(WHO, "AMBIGUOUS", None, asked=""), OTHER_HUB, False),
    (
        "a hub that the event excludes",
        sealing(replace(WHO, header=replace(WHO.header, excluded=(HUB,))), "AMBIGUOUS", None, asked=""),
        HUB,
        False,
    ),
]


@pytest.mark.parametrize(("review", "holder", "sees"), [one[1:] for one in LOOKS], ids=[one[0] for one in LOOKS])
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_the_event_in_a_review_is_shown_to_nobody_but_who_was_asked(
    review: Review, holder: str | None, sees: bool, how: tuple[str, ...], shown: Show
) -> None:
    """Asking is telling (R11), and it is sealed as whoever is asked may see it (R28)."""
    out = shown(review, *how, *(("--as", holder) if holder else ()))

    assert ("Wexwick" in out) == sees
    assert sees or "--as" in out or "make one with `broker keys new" in out
    assert [one for one in ("2017-01-15", "ZZ1 1ZZ", "as heard") if one in out and not sees] == []


def a_disclosure(name: str, child: str = "c-2", desk: str = HUB, **more: Any) -> dict[str, Any]:
    identity = {"names": [{"given": name, "family": "Known", "kind": "usual"}], "birth_date": "2017-01-15"}
    said = {
        "disclosure_id": f"d-{name}", "recipient": desk, "role": "hub", "kind": "ALERT", "event_type": WHO.header.event_type,
        "child": SECRETS.pseudonym(RecipientId(desk), ChildRef(child)), "issued_at": 1_764_000_000_000, "lawful_basis": "LEGAL",
        "token": b"", "identity": identity, **more,
    }  # fmt: skip
    return codec.decode("disclosure", codec.encode("disclosure", said))


BEA = SECRETS.pseudonym(RecipientId(HUB), ChildRef("c-2"))


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_of_whom_it_may_be_the_desk_sees_what_it_was_told_of_that_child_and_by_what(how: tuple[str, ...], shown: Show) -> None:
    told = [
        a_disclosure("Bea"),
        a_disclosure("Cora", "c-3"),
        a_disclosure("Dora", desk=OTHER_HUB),
        a_disclosure("Emma"),
        a_disclosure("X", kind="RETRACTION", replaces="d-Emma", identity=None),
    ]
    out = shown(sealing(WHO, "UNIDENTIFIED", None), *how, told=told)

    assert [one for one in ("Bea", "d-Bea", BEA) if one not in out] == []
    assert [one for one in ("Cora", "Dora", "Emma") if one in out] == [], "another child, another desk, taken back"


def test_a_candidate_for_whom_the_desk_is_excluded_shows_nothing_even_of_what_it_was_told(shown: Show) -> None:
    """R11: to say that something may be about the child is to tell it."""
    review = sealing(replace(WHO, header=replace(WHO.header, producer=AgencyId("E2"))), "UNIDENTIFIED", None, asked=OTHER_HUB)
    out = shown(review, told=[a_disclosure("Dora", desk=OTHER_HUB)])

    assert "Wexwick" in out
    assert "Dora" not in out
    assert "you were told nothing of this child" in out


def test_who_may_not_look_sees_no_candidate(shown: Show) -> None:
    out = shown(sealing(WHO, "UNIDENTIFIED", None), "--as", POLICE_DESK, told=[a_disclosure("Bea")])

    assert "Bea" not in out


@pytest.mark.parametrize(("kind", "asked"), [("GAP", HUB), ("ASK", HUB)])
def test_a_review_of_a_known_child_says_by_which_name_the_desk_was_told_of_it(kind: str, asked: str, shown: Show) -> None:
    assert SECRETS.pseudonym(RecipientId(HUB), ChildRef("c-1")) in shown(sealing(WHO, kind, "c-1", asked=asked))


CHILDREN = {"c-2a": KnownChild("c-2a", "m-1"), "c-2b": KnownChild("c-2a", "m-1"), "c-9": KnownChild("c-9", "m-2")}


@pytest.mark.parametrize("named", ["c-2a", "c-2b", "c-9"])
def test_a_desk_may_name_a_child_as_its_own_alerts_do(named: str) -> None:
    own = SECRETS.pseudonym(RecipientId(HUB), ChildRef(named))
    meant = CHILDREN[named]

    assert reviews._child(named, HUB, CHILDREN, SECRETS) == meant
    assert reviews._child(own, HUB, CHILDREN, SECRETS) == meant
    with pytest.raises(NotFoundError, match=f"`{OTHER_HUB}` was told of no child by that name: `broker subscribe {OTHER_HUB} "):
        reviews._child(own, OTHER_HUB, CHILDREN, SECRETS)
    with pytest.raises(NotFoundError, match="more than one child"):
        reviews._child("c-", HUB, CHILDREN, SECRETS)


def test_where_nobody_matches_fully_it_says_so_and_how_a_child_is_found(shown: Show) -> None:
    alike = sealing(WHO, "UNIDENTIFIED", None)
    alone = Review({**alike.message, "candidates": []}, None, alike.sealed)

    assert "Nobody matches fully; it may be somebody who is known" in shown(alike)
    assert "Nobody who is known matches" in shown(alone)
    assert f"broker subscribe {HUB} --from beginning" in shown(alone)


@pytest.mark.parametrize("kind", ["UNIDENTIFIED", "AMBIGUOUS"])
def test_of_a_merge_it_says_that_an_answer_joins_two_records(kind: str, shown: Show) -> None:
    asked = sealing(WHO, kind, None)
    merge = Review({**asked.message, "event_type": "identity.merged"}, None, asked.sealed)

    assert "Are two records of one child?" in shown(merge)
    assert "is joined to it" in shown(merge)
    assert "nothing is joined" in shown(merge)
    assert "joined" not in shown(asked)


def test_what_was_put_to_another_shows_nothing_of_what_the_first_might_see() -> None:
    found = _Reviews()
    for asked, sealed in ((POLICE_DESK, b"all of it"), (HUB, None)):
        message = {
            "review_id": "r-1", "kind": "ASK", "state": "OPEN", "for_recipient": asked, "opened_at": 1, "event_id": "e1",
            "event_type": "x", "producer": "police:42", "why": "x", "matching_key": "", "child_ref": "c-1",
            "sealed_event": sealed,
        }  # fmt: skip
        found.take(Record("reviews.v1", 0, 0, 1, b"r-1", codec.encode("review", message), ((CAUSE, b"x/0@1+0"),)))

    assert (found.found["r-1"].message["for_recipient"], found.found["r-1"].sealed) == (HUB, None)


@pytest.mark.parametrize(
    ("kind", "candidates", "excluded"),
    [
        ("AMBIGUOUS", ["c-1", "c-9"], {"a"}),
        ("AMBIGUOUS", ["c-2"], {"b", "d"}),
        ("AMBIGUOUS", [], set()),
        ("UNIDENTIFIED", ["c-1"], set()),
    ],
    ids=["of a child", "also of whom it was joined to", "of nobody", "not of who only looks alike"],
)
def test_whom_events_exclude_for_a_child_that_it_may_be_about_is_known(
    kind: str, candidates: list[str], excluded: set[str]
) -> None:
    def child(recipient: str, into: str | None = None) -> Child:
        return Child(exclusions=frozenset({Exclusion(recipient, "by", "e", "e")}), merged_into=into)

    known = {"c-1": child("a"), "c-2": child("b", into="c-3"), "c-3": Child(merged_into="c-4"), "c-4": child("d")}

    review = Review({**a_review(kind, child=None).message, "candidates": candidates}, None)
    found = review_reader.candidates_of(review, {ref: {"m-1": one} for ref, one in known.items()})

    assert review_reader.excluded_for(review, found) == excluded
