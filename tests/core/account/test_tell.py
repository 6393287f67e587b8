"""A disclosure in words: short, only what was granted, and what to do."""

from typing import Any

import pytest

from broker import codec
from broker.core.account.tell import code_in_words, heading, tell, value_in_words
from broker.core.account.words import Words, words_of
from broker.policyfile import load_policy
from broker.policyfile.code_lists import load_code_lists
from tests.stream.lines import GP, HUB, SCHOOL, ALine, a_retraction, an_event, at_practice, on_roll

IDENTITY: dict[str, Any] = {
    "names": [{"given": "Jo", "family": "Example"}],
    "birth_date": "2015-03-02",
    "identifiers": [{"scheme": "nhs_number", "value": "9434765919"}],
}


def told(recipient: str) -> dict[str, Any]:
    event = an_event(
        body={"concern": {"grade": "high", "codes": [{"scheme": "cin", "code": "4", "abuse": "NEGLECT"}]}, "identity": IDENTITY}
    )
    return ALine().take(on_roll(), at_practice(), event).disclosures(recipient)[0]


def test_it_says_who_what_why_on_which_basis_and_by_when() -> None:
    lines = dict(tell(told(SCHOOL)))

    assert lines["child"].startswith("Jo Example, born 2 Mar 2015, NHS number 9434765919, p-")
    assert lines["what"] == "census code 4 (neglect); grade high"
    assert lines["why you"] == "The dsl needs to know."
    assert lines["basis"] == "legal"
    assert lines["said by"] == "police:42"
    assert "at 17:00" in lines["by"]


def test_codes_are_said_in_words_and_a_name_keeps_its_id() -> None:
    words = Words(
        events={"police.encompass.notified": "Police attended domestic abuse"},
        names={"police:42": "Eskshire Constabulary"},
        roles={"dsl": "designated safeguarding lead"},
        bases={"LEGAL": "the law names this notification"},
    )
    lines = dict(tell(told(SCHOOL), words))

    assert heading(told(SCHOOL), words) == "ALERT  Police attended domestic abuse"
    assert lines["said by"] == "Eskshire Constabulary (police:42)"
    assert lines["your role"] == "designated safeguarding lead"
    assert lines["basis"] == "the law names this notification"


def test_what_came_of_a_referral_is_said_in_the_words_of_the_policy() -> None:
    words = words_of(load_policy(), lists=load_code_lists())

    assert value_in_words("decision", "help_offered", words) == "help was offered to the child or the family (help_offered)"
    assert value_in_words("decision", "of the council's own", words) == ""


def test_danger_to_life_or_limb_does_not_look_like_every_other_alert() -> None:
    alert = told(SCHOOL)
    emergency = {**alert, "lawful_basis": "EMERGENCY"}

    assert heading(emergency) == "ALERT, DANGER NOW  police.encompass.notified"
    assert heading({**emergency, "kind": "EXISTENCE"}) == "THERE IS SOMETHING, DANGER NOW  police.encompass.notified"
    assert heading({**emergency, "kind": "RETRACTION"}) == "TAKEN BACK  police.encompass.notified"
    assert heading(alert) == "ALERT  police.encompass.notified"


def test_reasons_are_sentences_with_roles_in_words() -> None:
    (gap,) = [one for one in ALine().take(an_event()).disclosures(HUB) if one["kind"] == "GAP"]
    words = Words(roles={"dsl": "designated lead of the child's school"})

    said = dict(tell(gap, words))["why you"]
    assert "in the role “designated lead of the child's school”: see to it that somebody there hears of it. See `broker" in said
    assert said.startswith("Nobody can")
    assert said.endswith(".")


CODED = [
    ({"scheme": "cin-assessment-factor", "code": "3B"}, "domestic abuse of a parent (assessment factor 3B)"),
    ({"scheme": "cin-assessment-factor", "code": "16A", "abuse": "NEG"}, "neglect (assessment factor 16A)"),
    (
        {"scheme": "cin-assessment-factor", "code": "11A", "abuse": "SAB"},
        "child sexual exploitation (assessment factor 11A, sexual abuse)",
    ),
    ({"scheme": "cin-assessment-factor", "code": "21", "present": False}, "no factor identified (assessment factor 21)"),
    ({"scheme": "cin-assessment-factor", "code": "12A", "present": False}, "not trafficking (assessment factor 12A)"),
    ({"scheme": "cin-previous-cp-plans", "code": "0", "present": False}, "0 earlier child protection plans"),
    ({"scheme": "dfe-exclusion-reason", "code": "OW"}, "offensive weapon or prohibited item (exclusion reason OW)"),
    ({"scheme": "dfe-exclusion-reason", "code": "ZZ"}, "exclusion reason ZZ"),
    ({"scheme": "bars", "code": "702953007", "abuse": "NEG"}, "bars 702953007 (neglect)"),
]


@pytest.mark.parametrize(("code", "said"), CODED, ids=[one[1] for one in CODED])
def test_a_coded_concern_is_said_in_words_with_its_code_behind(code: dict[str, Any], said: str) -> None:
    assert code_in_words(code, Words(lists=load_code_lists())) == said


def test_the_codes_and_times_of_an_alert_are_said_in_words() -> None:
    concern = {
        "status": "cp_plan",
        "category_of_abuse": "EMO",
        "reason": "RC8",
        "starts_on": "2026-11-21",
        "referral_source": "2A",
    }
    line = ALine().take(on_roll(), an_event(body={"concern": concern}))

    said = dict(tell(line.disclosures(SCHOOL)[0], Words(lists=load_code_lists())))
    assert [one for one in ("child protection plan (cp_plan)", "emotional abuse (EMO)", "(RC8)") if one not in said["what"]] == []
    assert [one for one in ("referral source school (2A)", "starts on Sat 21 Nov 2026") if one not in said["what"]] == []
    assert value_in_words("attended_at", "2026-11-23T20:50", Words()) == "Mon 23 Nov 2026 at 20:50"


def test_what_was_not_granted_is_not_mentioned() -> None:
    text = str(tell(told(GP)))

    assert "Jo" not in text
    assert "where" not in dict(tell(told(GP)))


def test_a_retraction_says_what_to_do_and_names_the_earlier_message() -> None:
    line = ALine().take(on_roll(), an_event(), a_retraction("e1"))
    first, second = line.disclosures(SCHOOL)

    assert heading(second) == "TAKEN BACK  police.encompass.notified"
    assert dict(tell(second))["instead of"] == first["disclosure_id"]
    assert dict(tell(second))["why you"] == "Stop using this and ask the source."


def test_every_field_of_every_group_can_be_said() -> None:
    message = {
        "disclosure_id": "d", "recipient": "r", "role": "dsl", "child": "p", "kind": "ALERT", "event_type": "t", "issued_at": 1,
        "lawful_basis": "b", "token": b"", "narrative": {"text": "He said so.", "checked": True},
        "third_party": {"people": [{"role": "parent", "given": "Sam"}]}, "wish": {"words": "I want to go home."},
    }  # fmt: skip
    lines = dict(tell(codec.decode("disclosure", codec.encode("disclosure", message))))

    assert lines["account"].startswith("“He said so.”")
    assert "parent" in lines["others"]
    assert lines["child says"] == "“I want to go home.”"


def test_what_is_due_at_midnight_is_due_by_the_end_of_the_day() -> None:
    assert dict(tell({**told(SCHOOL), "due_at": 1_795_737_600_000}))["by"] == "the end of Thu 26 Nov 2026, at midnight"
