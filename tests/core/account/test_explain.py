"""The story of a decision says who, what, why, and why not."""

from typing import Any

from broker.core.account.explain import explain_decision, explain_entry, explain_history, explain_told
from broker.core.account.words import Words
from broker.core.model.facts import Finding
from broker.core.model.identifiers import EventId, Millis

AT = 1_795_000_500_000


def a_decision(**more: Any) -> dict[str, Any]:
    return {
        "decision_id": "d1",
        "recipient": "oakfield-dsl",
        "role": "dsl",
        "outcome": "DISCLOSE",
        "granted": ["existence", "identity", "concern"],
        "withheld": ["location"],
        "asked": [],
        "asked_of": None,
        "reasons": [
            {"rule": "school-of-child", "because": "The child's school must know before the next school day.", "categories": []},
            {"rule": "safe-address", "because": "A protected address goes to nobody.", "categories": ["location"]},
        ],
        "lawful_basis": "LEGAL_OBLIGATION",
        "gateway": "Encompass duty 2024",
        "obligations": ["Discuss with nobody but the child's safeguarding lead."],
        "clock": "next_school_day",
        "due_at": AT,
        "disclosure_id": "x1",
        "view_digest": "v",
    } | more


def an_entry(**more: Any) -> dict[str, Any]:
    return {
        "entry_id": "a1",
        "at": AT,
        "child_ref": "c",
        "outcome": "DECIDED",
        "subject": "event",
        "event_id": "e1",
        "event_type": "police.encompass.notified",
        "producer": "police:42",
        "policy_digest": "0123456789abcdef",
        "registers_digest": "fedcba9876543210",
        "decisions": [
            a_decision(),
            a_decision(
                decision_id="d2",
                recipient="gp-1",
                role="gp",
                outcome="WITHHOLD",
                granted=[],
                withheld=["existence"],
                disclosure_id=None,
                reasons=[{"rule": "no-rule", "because": "No rule gives a GP this.", "categories": []}],
                lawful_basis=None,
                due_at=None,
            ),
        ],
        "others": "no rule names them for this event",
        "request": b"",
        "facts_version": 3,
        "concerns": [],
    } | more


def test_the_story_says_who_was_told_what_why_and_on_which_basis() -> None:
    words = Words(
        events={"police.encompass.notified": "Police attended domestic abuse"},
        names={"oakfield-dsl": "Oakfield School, safeguarding lead"},
        bases={"LEGAL_OBLIGATION": "the law names this notification"},
    )
    story = explain_entry(an_entry(), words)

    for words in (
        "Event: Police attended domestic abuse, said by police:42",
        "event e1 (police.encompass.notified)",
        "decided: 1 told, 0 asked about, 1 not told",
        "Oakfield School, safeguarding lead (oakfield-dsl): dsl",
        "was told, as far as it was said: that it happened, identity, concern",
        "because the child's school must know before the next school day [school-of-child]",
        "on the basis: the law names this notification, by Encompass duty 2024",
        "must keep to: Discuss with nobody",
        "(next school day)",
    ):
        assert words in story


def test_the_story_says_why_each_other_possible_recipient_was_not_told() -> None:
    story = explain_entry(an_entry())

    not_told = story[story.index("Not told") :]
    assert "gp-1: gp" in not_told
    assert "because no rule gives a GP this [no-rule]" in not_told
    assert "Everybody else: no rule names them for this event" in not_told


def test_what_a_told_recipient_did_not_get_stands_with_its_rule() -> None:
    assert "a protected address goes to nobody (location) [safe-address]" in explain_entry(an_entry())


def test_one_decision_is_told_by_its_own_id_or_its_disclosures() -> None:
    by_decision, by_disclosure = (explain_decision(an_entry(), some_id) for some_id in ("d1", "x1"))

    assert by_decision == by_disclosure
    assert "gp-1" not in by_decision


def test_of_a_child_it_is_said_who_was_told_what_and_on_which_basis_and_nobody_else_is_named() -> None:
    nobody = an_entry(event_id="e2", decisions=[])

    told = explain_told([an_entry(), nobody], width=None)

    assert "was told, as far as it was said: that it happened, identity, concern" in told
    assert "on the basis: " in told
    assert "gp-1" not in told
    assert "event e2" not in told
    assert told.endswith(
        "1 time somebody was told of this child, 1 desk in all; who was not, and why: broker explain --event EVENT\n"
    )
    assert explain_told([nobody]).startswith("nobody was told anything of this child; ")


def test_lines_wrap_and_the_words_are_the_same_every_time() -> None:
    long = an_entry(others="no rule names them, " * 20)

    assert explain_entry(long, width=None).splitlines()[-1].startswith("Everybody else")
    assert max(map(len, explain_entry(long, width=60).splitlines())) <= 60
    assert explain_entry(long) == explain_entry(long)


def test_the_history_of_an_event_keeps_the_order_of_the_log() -> None:
    retraction = an_entry(event_id="e2", outcome="APPLIED", decisions=[], others="taken back", concerns=["e1"])

    history = explain_history([an_entry(), retraction])

    assert history.index("event e1") < history.index("event e2")
    assert "about e1" in history
    assert "Event that takes back or changes an earlier one: " in history
    assert history.startswith("Event: ")
    assert "Taken back" in history


def test_what_people_had_found_is_told_with_role_reason_and_review_date() -> None:
    detriment = Finding(
        kind="detriment", by_role="team_manager", since=Millis(AT), until=Millis(AT + 86_400_000), reason="he works there",
        recipients=frozenset({"oakfield-dsl"}), producer="E1", event_id=EventId("f1"),
    )  # fmt: skip

    told = explain_entry(an_entry(findings=(detriment,)), Words(names={"E1": "North"}), width=None)
    assert "detriment, found by team manager of North (E1)" in told
    assert "because: he works there" in told
    assert "about telling oakfield-dsl" in told
    assert "to be looked at again by" in told


def test_the_roles_that_a_rule_names_are_told_in_words() -> None:
    words = Words(roles={"gp": "the child's GP practice", "dsl": "safeguarding lead of the child's school"})
    named = an_entry(others="nobody else is told: no rule names any role for `t` but dsl, gp")

    last = explain_entry(named, words, width=None).splitlines()[-1]

    assert last.endswith("for `t` but safeguarding lead of the child's school; the child's GP practice")
    assert "the hub is told but not now" in explain_entry(an_entry(others="the hub is told but not now"), words)


def test_a_date_without_a_clock_of_its_own_names_none() -> None:
    story = explain_entry(an_entry(decisions=[a_decision(clock=None)]))

    assert "    by " in story
    assert "clock)" not in story


def test_who_holds_a_view_that_a_later_version_leaves_as_it_was_is_not_said_to_be_told_again() -> None:
    later = an_entry(entry_id="a2", event_id="e2", concerns=["e1"])

    first, second = explain_history([an_entry(), later], width=None).split("----")[0], explain_entry(later)
    again = explain_history([an_entry(), later], width=None).rpartition("----")[2]
    told = explain_told([an_entry(), later], width=None)

    assert "1 told, 0 asked about" in first
    assert "1 told, 0 asked about" in second, "of one entry alone nothing is known of what was before"
    assert "0 told, 0 asked about, 1 not told, 1 told before and unchanged" in again
    assert "holds, as it was told before: " in again
    assert "1 time somebody was told of this child, 1 desk in all" in told


def test_an_event_that_a_person_rejected_is_not_said_to_wait_for_one() -> None:
    rejected = explain_entry(an_entry(child_ref="", outcome="APPLIED", decisions=[], others="a person said no"))
    answer = an_entry(child_ref="", outcome="APPLIED", subject="resolution", event_id="r1", concerns=["e1"], decisions=[])
    said = explain_entry(answer | {"decided_by": "hub", "decided_with": "hub/1", "decided_because": "not ours"})
    held = explain_entry(an_entry(outcome="IN_REVIEW", decisions=[], others=""))

    assert "it goes no further" in rejected
    assert "A person said no" in rejected
    assert "has to decide" not in rejected
    assert "a person has answered" in said
    assert "the reason given: not ours" in said
    assert "a person has to decide first" in held
