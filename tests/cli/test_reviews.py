"""`broker reviews`: who was not asked hears so at once and nothing is sent; who is asked sees what it needs to answer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from broker import codec
from broker.cli import cli, reviews
from broker.core.event import Event
from broker.core.identifiers import AgencyId, RecipientId, RoleName
from broker.core.registers import Area, Recipient, Registers
from broker.core.words import Words
from broker.errors import InputError
from broker.sealing.reviews import seal_event
from broker.sealing.secrets import new_master
from broker.stream.watching.review_reader import REJECT, Answer, Review, check_asked
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
    monkeypatch.setattr(reviews.Secrets, "load", lambda _: SECRETS)

    def show(review: Review, *more: str) -> str:
        async def read(*_: Any, **__: Any) -> tuple[dict[str, Review], Words]:
            return {review.id: review}, Words()

        monkeypatch.setattr(reviews, "_read", read)
        line = ["reviews", "show", review.id, "--settings", str(file), *more]
        return CliRunner().invoke(cli, line, catch_exceptions=False).output

    return show


def sealing(event: Event, kind: str, child: str | None) -> Review:
    plain = a_review(kind, HUB, event.header.event_type, child)
    more = {
        "event_id": "e1", "producer": "police:42", "why": "x", "opened_at": 1, "accepted_at": 1, "due_at": None, "clock": None,
        "candidates": [], "resolution": None,
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


@pytest.mark.parametrize("kind", ["ASK", "GAP", "HOLD"])
def test_of_a_known_child_all_is_shown_that_was_sealed_for_whom_it_asks(kind: str, shown: Show) -> None:
    assert "the account" in shown(sealing(WHO, kind, "c-1"))
