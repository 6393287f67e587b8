"""`broker reviews link|reject`: who was not asked hears so at once, and nothing is sent."""

from dataclasses import replace
from typing import Any

import pytest

from broker.cli import reviews
from broker.core.identifiers import AgencyId, RecipientId, RoleName
from broker.core.registers import Area, Recipient, Registers
from broker.errors import InputError
from broker.stream.watching.review_reader import REJECT, Answer, Review, check_asked
from tests.stream.lines import HUB, POLICE_DESK, SCHOOL, SECRETS, a_signer, some_registers

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
