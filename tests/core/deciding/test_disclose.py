"""A view selects what was granted and never derives; what betrays a place or a person is absent, not masked."""

from dataclasses import replace
from itertools import combinations

import pytest

from broker import codec
from broker.core.deciding.disclose import SHORT_FORM, granted_view, view_digest, without
from broker.core.model.event import Action, Category, Event, SharingMode, SubjectRole
from broker.core.model.facts import Protection
from broker.core.model.identifiers import EventId, Millis
from broker.core.model.policy import Cut
from broker.core.model.verdict import Decision, Outcome
from tests.core.values import a_child, an_event

BODY = {
    "identity": {
        "identifiers": [{"scheme": "upn", "value": "A1"}, {"scheme": "nhs_number", "value": "9", "issuer": "ods:1"}],
        "names": [{"given": "Ada", "family": "Byron", "kind": "usual"}, {"given": "Old", "family": "Name", "kind": "former"}],
        "sex": None,
    },
    "contact": {"telephones": ["01"], "emails": []},
    "location": {"postcode": "ZZ1 1ZZ", "location_ref": "ref"},
    "concern": {"reference": "r", "grade": "high", "next_step": "visit", "decision": "assess", "sessions": 0},
    "narrative": {"text": "words", "checked": False},
    "clinical": {"setting": "ward", "findings": "bruise", "reason_band": "injury"},
    "third_party": {
        "people": [{"role": "referrer", "given": "Lay"}, {"role": "mother", "given": "Eve", "organisation": "urn:1"}],
        "functional_impact": "tired",
    },
    "wish": {"words": "stay"},
    "monitoring": {"ethnicity": "X"},
}


def a_decision(*granted: str, short: tuple[str, ...] = (), cuts: tuple[Cut, ...] = ()) -> Decision:
    return Decision(
        recipient="dsl",
        role="dsl",
        roles=("dsl",),
        outcome=Outcome.DISCLOSE,
        kind="ALERT",
        granted=tuple(Category(one) for one in granted),
        withheld=(),
        asked=(),
        asked_of=None,
        reasons=(),
        lawful_basis="PUBLIC_TASK",
        gateway=None,
        obligations=(),
        clock=None,
        short=tuple(Category(one) for one in short),
        cuts=cuts,
    )


def an_event_with_everything(**header) -> Event:
    return an_event(body=BODY, contact_point="desk", **header)


def view(*granted: str, facts=None, **said):
    return granted_view(an_event_with_everything(), a_decision(*granted, **said), facts or a_child())


def test_only_granted_categories_are_there_and_nothing_empty():
    shown = view("existence", "identity", "contact")

    assert set(shown) == {"occurred_at", "producer", "contact_point", "identity", "contact"}
    assert shown["contact"] == {"telephones": ["01"]}
    assert "sex" not in shown["identity"]


def test_a_zero_is_a_value_and_stays():
    assert view("existence", "concern")["concern"]["sessions"] == 0


def test_without_existence_there_is_no_view():
    assert view("identity") == {}


def test_what_the_publisher_left_unsaid_is_absent():
    assert not {"subject_role", "assertion", "told_family"} & set(view("existence", "identity"))


def test_a_short_form_keeps_the_publishers_own_shorter_fields():
    assert view("existence", "clinical", short=("clinical",))["clinical"] == {"setting": "ward", "reason_band": "injury"}
    assert view("existence", "location", short=("location",))["location"] == {"location_ref": "ref"}
    assert set(view("existence", "identity", short=("identity",))["identity"]) == {"names"}
    assert Category.EXISTENCE not in SHORT_FORM


def test_a_cut_place_takes_who_says_it_and_every_local_number():
    shown = view("existence", "identity", "concern", "third_party", cuts=(Cut.PLACE,))

    assert not {"producer", "contact_point"} & set(shown)
    assert shown["identity"]["identifiers"] == [{"scheme": "nhs_number", "value": "9", "issuer": None}]
    assert "reference" not in shown["concern"]
    assert shown["third_party"]["people"] == [{"role": "referrer"}, {"role": "mother"}]


def test_cut_whereabouts_leaves_of_a_place_where_it_happened():
    where = {"place": "the yard", "location_ref": "ref", "postcode": "ZZ1 1ZZ", "address": ["1"], "organisation": "urn:1"}
    event = replace(an_event_with_everything(), body={**BODY, "location": where})
    decision = a_decision("existence", "location", cuts=(Cut.WHEREABOUTS,))

    assert granted_view(event, decision, a_child())["location"] == {"place": "the yard", "location_ref": "ref"}
    assert "location" not in granted_view(replace(event, body={"location": {"postcode": "ZZ1 1ZZ"}}), decision, a_child())


def test_cut_free_text_goes_unless_it_was_checked():
    shown = view("existence", "narrative", "wish", "clinical", "concern", cuts=(Cut.FREE_TEXT,))
    checked = replace(an_event_with_everything(), body={**BODY, "narrative": {"text": "words", "checked": True}})

    assert not {"narrative", "wish"} & set(shown)
    assert shown["clinical"] == {"setting": "ward", "reason_band": "injury"}
    assert not {"next_step", "decision"} & set(shown["concern"])
    decision = a_decision("existence", "narrative", cuts=(Cut.FREE_TEXT,))
    assert granted_view(checked, decision, a_child())["narrative"]["text"] == "words"


def test_a_lay_referrer_is_absent_and_not_masked():
    shown = view("existence", "third_party", cuts=(Cut.REFERRER,))

    assert [one["role"] for one in shown["third_party"]["people"]] == ["mother"]


@pytest.mark.parametrize("role", ["Referrer", "REFERRER", " referrer "])
def test_a_lay_referrer_is_absent_however_the_role_is_written(role):
    """R9: a client of an agency's own may write it as it likes, and a name that is out is out."""
    third_party = {"people": [{"role": role, "given": "Lay"}, {"role": "mother", "given": "Eve"}]}
    event = an_event(body={"third_party": third_party})
    shown = granted_view(event, a_decision("existence", "third_party", cuts=(Cut.REFERRER,)), a_child())

    assert [one["given"] for one in shown["third_party"]["people"]] == ["Eve"]


def test_a_former_name_and_number_are_absent():
    shown = view("existence", "identity", cuts=(Cut.FORMER_IDENTITY,))

    assert [one["given"] for one in shown["identity"]["names"]] == ["Ada"]


def test_a_former_number_is_absent_however_its_scheme_is_written():
    numbers = [{"scheme": "Former_UPN", "value": "A2"}, {"scheme": "mrn", "value": "7"}]
    event = an_event(body={"identity": {"identifiers": numbers}})
    shown = granted_view(event, a_decision("existence", "identity", cuts=(Cut.FORMER_IDENTITY,)), a_child())

    assert [one["scheme"] for one in shown["identity"]["identifiers"]] == ["mrn"]


def test_the_last_guard_keeps_places_even_where_a_rule_would_not():
    """R10, I8: a policy by mistake cannot let a protected child's place out."""
    safe = Protection(kind="safe_address", since=Millis(0), by="x", event_id=EventId("p"))
    shown = view("existence", "identity", "location", "contact", facts=a_child(protections=(safe,)))

    assert not {"location", "contact"} & set(shown)


def test_monitoring_is_in_no_view_even_if_a_decision_said_so():
    assert "monitoring" not in view("existence", "monitoring")


def test_equal_views_have_equal_digests_and_unequal_ones_do_not():
    assert view_digest({"a": 1, "b": 2}) == view_digest({"b": 2, "a": 1})
    assert view_digest({"a": 1}) != view_digest({"a": 2})


def test_the_event_itself_is_never_changed():
    event = an_event_with_everything(action=Action.NEW)
    before = repr(event)

    granted_view(event, a_decision("existence", "identity", "third_party", cuts=tuple(Cut)), a_child())
    assert repr(event) == before


@pytest.mark.parametrize("cut", Cut)
def test_what_a_cut_leaves_of_a_view_is_the_view_made_under_it(cut):
    everything = tuple(one for one in Category if one is not Category.MONITORING)
    assert without(view(*everything), (cut,)) == view(*everything, cuts=(cut,))


WORDED = {
    **BODY,
    "concern": {"codes": [{"scheme": "at Rose House", "code": "at Rose House"}], "grade": "at Rose House"},
    "intelligence": {"text": "seen at Rose House", "handling_code": "P", "originator": "police:1"},
    "third_party": {"people": [{"role": "mum's new partner", "relation": "at Rose House"}, {"role": "parent"}]},
    "clinical": {"setting": "at Rose House", "findings": "at Rose House"},
}


@pytest.mark.parametrize("number", range(len(Cut) + 1))
def test_whatever_is_cut_a_message_can_be_made_of_what_is_left(number: int) -> None:
    """An alert about a protected child that named a person's role in words was a dead letter: nobody heard it at all."""
    event, everything = an_event(body=WORDED), tuple(one for one in Category if one is not Category.MONITORING)
    given = dict.fromkeys(("disclosure_id", "recipient", "role", "child", "event_type", "lawful_basis"), "x")
    for cuts in combinations(Cut, number):
        for short in ((), everything):
            seen = granted_view(event, a_decision(*everything, short=short, cuts=cuts), a_child())
            codec.encode(
                "disclosure", {**seen, **given, "kind": "ALERT", "issued_at": 0, "because": [], "rules": [], "token": b""}
            )
            assert (Cut.FREE_TEXT in cuts) <= ("Rose" not in seen["intelligence"]["text"])


def test_of_a_person_whose_role_may_name_a_place_nothing_is_said() -> None:
    seen = granted_view(an_event(body=WORDED), a_decision("existence", "third_party", cuts=(Cut.PLACE,)), a_child())
    assert seen["third_party"] == {"people": [{"role": "parent"}]}


def test_how_long_it_may_be_relied_on_goes_with_everything_that_goes():
    """R20: every share has its expiry, where the publisher says one."""
    event = an_event_with_everything(expires_at=Millis(1_900_000_000_000))

    assert granted_view(event, a_decision("existence"), a_child())["expires_at"] == 1_900_000_000_000
    assert "expires_at" not in granted_view(an_event_with_everything(), a_decision("existence"), a_child())


BETRAYING = [
    "ask at Rose House",
    "moved to ZZ9 9ZZ",
    "12 Fern Row",
    "at Oak Refuge",
    "ZZ99ZZ",
    "Eskmouth, Fern Row",
    "see: ward 3",
]


@pytest.mark.parametrize("words", BETRAYING)
def test_words_in_a_coded_field_go_with_the_place_for_anybody_can_type_one_there(words: str) -> None:
    """I8: a field is coded by what stands in it, not by its name."""
    concern = {"grade": words, "reason": words, "codes": [{"scheme": "s", "code": words}, {"scheme": "s", "code": "1A"}]}
    people = [{"role": "father", "relation": words, "contact_level": words}]
    event = an_event(body={"concern": concern, "third_party": {"people": people}, "clinical": {"reason_band": words}})
    granted = ("existence", "concern", "third_party", "clinical")

    seen = granted_view(event, a_decision(*granted, cuts=(Cut.PLACE,)), a_child())

    assert seen["concern"] == {"codes": [{"scheme": "s", "code": "1A"}]}
    assert seen["third_party"] == {"people": [{"role": "father"}]}
    assert "clinical" not in seen
    assert granted_view(event, a_decision(*granted), a_child())["concern"]["grade"] == words, "only a protection cuts it"


@pytest.mark.parametrize(
    "words", ["high", "not known", "lives with", "step-father", "Medium risk", "PP", "no_apparent_risk", "NEG"]
)
def test_a_code_and_plain_words_that_name_no_place_stay(words: str) -> None:
    event = an_event(body={"concern": {"grade": words}})

    assert granted_view(event, a_decision("existence", "concern", cuts=(Cut.PLACE,)), a_child())["concern"]["grade"] == words


def test_that_there_is_something_says_neither_when_it_was_nor_the_childs_part() -> None:
    event = an_event_with_everything(occurred_at="2026-09-18T23:10+01:00", subject_role=SubjectRole.SUSPECT)

    assert set(granted_view(event, a_decision("existence"), a_child())) <= {"producer", "contact_point", "told_family"}
    assert granted_view(event, a_decision("existence", "identity"), a_child())["occurred_at"] == "2026-09-18T23:10+01:00"


def test_of_what_is_shared_as_existence_only_that_is_said_with_who_the_child_is_and_whom_to_ask():
    """R6: also where the child is named, when it was and the child's part are content."""
    said = {"occurred_at": "2026-09-18T23:10+01:00", "subject_role": SubjectRole.SUSPECT}
    event = an_event_with_everything(sharing_mode=SharingMode.EXISTENCE, **said)

    seen = granted_view(event, a_decision("existence", "identity"), a_child())

    assert set(seen) == {"producer", "contact_point", "identity"}
    assert seen["contact_point"] == "desk"
