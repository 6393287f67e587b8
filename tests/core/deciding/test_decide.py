"""What the decision point must do, whatever the policy: no order, deny by default, ask when unknown, say every reason."""

from dataclasses import fields, replace
from itertools import permutations

import pytest

from broker.core.deciding.conditions import Answer, all_of
from broker.core.deciding.decide import decide
from broker.core.model.event import Action, Category
from broker.core.model.facts import Agreement, Finding, Protection, Status
from broker.core.model.identifiers import EventId, Millis, RecipientId
from broker.core.model.known import Known
from broker.core.model.policy import SHAREABLE, Attribute, Basis, Condition, Cut, EventKind, Question
from broker.core.model.registers import Subscription
from broker.core.model.verdict import Decision, Outcome, Voice
from tests.core.values import (
    AT,
    COUNCIL,
    DAY,
    OTHER_SCHOOL,
    SCHOOL,
    a_child,
    a_policy,
    a_rule,
    a_tie,
    an_event,
    area,
    england,
    the,
)

THE_EVENT = an_event("it.happened")


def decided(*rules, event=THE_EVENT, facts=None, registers=None, at=AT, **policy):
    return decide(event, facts or a_child(), a_policy(*rules, **policy), registers or area(), at)


def why_not(decision: Decision) -> list[str]:
    """The reasons that keep something back."""
    return [reason.rule for reason in decision.reasons if reason.voice is Voice.WITHHOLDS]


def test_nothing_matching_means_withheld_with_that_reason():
    """I3 deny-by-default."""
    verdict = decided(a_rule("elsewhere", asks=(Condition(Question.STATUS, values=frozenset({"cp_plan"})),)))

    decision = the(verdict, "dsl@school")
    assert decision.outcome is Outcome.WITHHOLD
    assert [reason.rule for reason in decision.reasons] == ["nothing-matches"]
    assert set(decision.withheld) == set(Category)


def test_a_withhold_wins_whatever_the_order_of_the_rules():
    rules = (
        a_rule("give", share="existence concern narrative"),
        a_rule("give-again", share="existence narrative"),
        a_rule("keep", effect="withhold", share="narrative"),
    )
    verdicts = {bytes(decided(*order)) for order in permutations(rules)}

    assert len(verdicts) == 1
    decision = the(decided(*rules), "dsl@school")
    assert decision.granted == (Category.EXISTENCE, Category.CONCERN)
    assert {reason.rule for reason in decision.reasons} == {"give", "give-again", "keep", "nothing-matches"}


def test_a_withhold_is_lifted_only_by_the_exception_that_it_names():
    unless = ((Condition(Question.FINDING, values=frozenset({"significant_harm"})),),)
    rules = (a_rule("give", share="existence concern"), a_rule("keep", effect="withhold", share="concern", unless=unless))
    found = Finding(kind="significant_harm", by_role="social_worker", since=Millis(0), event_id=EventId("f"))

    assert Category.CONCERN not in the(decided(*rules), "dsl@school").granted
    assert Category.CONCERN in the(decided(*rules, facts=a_child(findings=(found,))), "dsl@school").granted
    lapsed = replace(found, until=Millis(AT - 1))
    assert Category.CONCERN not in the(decided(*rules, facts=a_child(findings=(lapsed,))), "dsl@school").granted
    other = replace(found, kind="coercion")
    assert Category.CONCERN not in the(decided(*rules, facts=a_child(findings=(other,))), "dsl@school").granted


def test_a_withhold_is_silent_to_the_roles_that_it_spares():
    rules = (
        a_rule("give", to="dsl gp", share="existence concern"),
        a_rule("keep", effect="withhold", to="", share="concern", spare=frozenset({"gp"})),
    )
    verdict = decided(*rules)

    assert the(verdict, "dsl@school").granted == (Category.EXISTENCE,)
    assert the(verdict, "gp@practice").granted == (Category.EXISTENCE, Category.CONCERN)


def test_what_cannot_be_known_is_asked_of_the_named_role_and_the_rest_goes_now():
    wanted = Condition(Question.WISH, "advocate", frozenset({"wanted"}))
    verdict = decided(a_rule("sure"), a_rule("maybe", share="existence wish", asks=(wanted,), ask="social_worker"))

    decision = the(verdict, "dsl@school")
    assert decision.outcome is Outcome.DISCLOSE
    assert decision.granted == (Category.EXISTENCE,)
    assert (decision.asked, decision.asked_of) == ((Category.WISH,), "social_worker")
    assert decision.because == ("because of sure",)


def test_the_holder_is_asked_when_a_rule_names_nobody():
    unknown = Condition(Question.SUBJECT_ROLE, values=frozenset({"victim"}))
    decision = the(decided(a_rule("maybe", asks=(unknown,))), "dsl@school")

    assert (decision.outcome, decision.asked_of) == (Outcome.ASK, "holder")


def test_a_withhold_matches_when_its_condition_cannot_be_known():
    unknown = Condition(Question.SUBJECT_ROLE, values=frozenset({"suspect"}))
    rules = (a_rule("give", share="existence concern"), a_rule("keep", effect="withhold", share="concern", asks=(unknown,)))

    assert the(decided(*rules), "dsl@school").granted == (Category.EXISTENCE,)


def test_without_existence_nothing_goes():
    rules = (a_rule("give", share="existence concern"), a_rule("keep", effect="withhold", share="existence"))
    decision = the(decided(*rules), "dsl@school")

    assert decision.outcome is Outcome.WITHHOLD
    assert decision.granted == decision.asked == ()
    assert "no-existence" in {reason.rule for reason in decision.reasons}


def test_nobody_in_the_role_is_a_gap_for_the_hub_unless_the_rule_says_otherwise():
    nobody = a_child(connections=())

    verdict = decided(a_rule("wanted"), facts=nobody)
    assert [(gap.role, gap.hub, gap.rules) for gap in verdict.gaps] == [("dsl", "hub@home", ("wanted",))]
    assert decided(a_rule("nice", if_nobody="nothing"), facts=nobody).gaps == ()
    withheld = a_rule("keep", effect="withhold", to="", share="existence")
    assert decided(a_rule("wanted"), withheld, facts=nobody).gaps == ()


def test_a_role_that_no_organisation_holds_may_be_no_gap_and_one_that_cannot_be_reached_is_one():
    held = a_child(connections=(a_tie("school", "urn:999999"),))
    wanted = a_rule("wanted", if_nobody="hub_if_held")

    assert decided(wanted, facts=a_child(connections=())).gaps == ()
    assert [(gap.role, gap.hub, gap.rules) for gap in decided(wanted, facts=held).gaps] == [("dsl", "hub@home", ("wanted",))]


def test_an_organisation_that_nobody_serves_is_a_gap_beside_one_that_is_served():
    verdict = decided(a_rule("wanted"), facts=a_child(connections=(a_tie("school", SCHOOL), a_tie("school", "urn:999999"))))

    assert the(verdict, "dsl@school").outcome is Outcome.DISCLOSE
    assert [gap.role for gap in verdict.gaps] == ["dsl"]


def test_the_alternate_gets_the_same_message_and_nothing_betrays_it():
    """R11: but for the recipient's id, the decision about the alternate is that about the one it stands in for."""
    usual = the(decided(a_rule("give", share="existence concern")), "dsl@school")
    conflicted = decided(a_rule("give", share="existence concern"), event=an_event("it.happened", excluded=("dsl@school",)))

    instead = the(conflicted, "dsl-alternate@school")
    assert replace(instead, recipient=usual.recipient) == usual
    assert the(conflicted, "dsl@school").outcome is Outcome.WITHHOLD
    assert why_not(the(conflicted, "dsl@school")) == ["conflict"]


def test_every_message_to_a_school_says_you_only():
    """R11: whether or not there is a conflict, so that the words give no substitution away."""
    events = {name for rule in england().rules if "dsl" in rule.to and rule.effect == "disclose" for name in rule.event_types}
    statuses = (Status(name="looked_after", since=Millis(0), organisation=COUNCIL, event_id=EventId("s")),)
    for name in events:
        for decision in decide(an_event(name), a_child(statuses=statuses), england(), area(), AT).decisions:
            if decision.outcome is Outcome.DISCLOSE and "dsl" in decision.roles:
                assert decision.obligations[0] == england().obligations["you_only"]


def test_a_subscription_narrows_and_a_statutory_message_that_it_drops_is_a_gap():
    desk = area().recipients[RecipientId("dsl@school")]
    deaf = replace(desk, subscription=Subscription(event_types=frozenset({"something.else"})))
    registers = replace(area(), recipients={**area().recipients, desk.id: deaf})

    dropped = decided(a_rule("give"), registers=registers)
    assert why_not(the(dropped, "dsl@school")) == ["subscription"]
    assert dropped.gaps == ()
    assert [gap.role for gap in decided(a_rule("must", statutory=True), registers=registers).gaps] == ["dsl"]


def test_a_subscription_never_widens():
    desk = area().recipients[RecipientId("dsl@school")]
    eager = replace(desk, subscription=Subscription(event_types=frozenset({"it.happened"}), roles=frozenset({"gp", "dsl"})))
    registers = replace(area(), recipients={**area().recipients, desk.id: eager})

    assert decided(a_rule("give", to="gp"), registers=registers).decisions == decided(a_rule("give", to="gp")).decisions


@pytest.mark.parametrize(
    ("event", "reason", "why"),
    [
        (an_event("it.happened", purpose="marketing"), "unknown-purpose", "a purpose that the policy does not know"),
        (an_event("it.happened", expires_at=Millis(AT)), "expired", "no longer relevant from that instant"),
        (an_event("it.happened", action=Action.RETRACT, supersedes="x"), "retraction", "retractions go by the ledger"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_goes_to_nobody(event, reason, why):
    decision = the(decided(a_rule("give"), event=event), "dsl@school")

    assert decision.outcome is Outcome.WITHHOLD, why
    assert why_not(decision) == [reason]


def test_a_policy_past_its_own_end_gives_nothing():
    decision = the(decided(a_rule("give"), in_force_to=Millis(AT)), "dsl@school")

    assert why_not(decision) == ["stale-policy"]


def test_a_rule_in_force_ends_on_its_date_and_a_protection_does_not():
    """I3: a dated end ends a rule; a protection never lapses by date."""
    protected = Condition(Question.PROTECTION, values=frozenset({"safe_address"}))
    give = a_rule("give", share="existence location", in_force_to=Millis(AT))
    assert the(decided(give, at=Millis(AT - 1)), "dsl@school").outcome is Outcome.DISCLOSE
    assert (
        the(decided(give, a_rule("other", share="existence location", asks=(protected,))), "dsl@school").outcome
        is Outcome.WITHHOLD
    )

    keep = a_rule("keep", effect="withhold", share="location", asks=(protected,), in_force_to=Millis(1))
    safe = a_child(protections=(Protection(kind="safe_address", since=Millis(0), by="x", event_id=EventId("p")),))
    lasting = decided(a_rule("always", share="existence location"), keep, facts=safe)
    assert the(lasting, "dsl@school").granted == (Category.EXISTENCE,)


def test_a_passed_review_alarms_and_asks_but_a_statutory_route_goes_on():
    """I3."""
    late = a_rule("late", share="existence concern", review_by=Millis(AT))
    duty = a_rule("duty", review_by=Millis(AT), statutory=True)

    verdict = decided(late, duty)
    assert verdict.alarms == ("duty", "late")
    assert the(verdict, "dsl@school").granted == (Category.EXISTENCE,)
    assert the(verdict, "dsl@school").asked == (Category.CONCERN,)
    assert decided(late, duty, at=Millis(AT - 1)).alarms == ()


def test_the_basis_is_the_highest_rung_and_its_gateway():
    bases = {
        "PUBLIC_TASK": Basis(name="PUBLIC_TASK", rung=4, says="task", gateway="s.11"),
        "DUTY": Basis(name="DUTY", rung=3, says="duty", gateway="s.16LA", in_force_from=Millis(AT), until_then="PUBLIC_TASK"),
    }
    rules = (a_rule("task"), a_rule("duty", share="existence concern", basis="DUTY"))

    now, before = decided(*rules, bases=bases), decided(*rules, bases=bases, at=Millis(AT - 1))
    assert (the(now, "dsl@school").lawful_basis, the(now, "dsl@school").gateway) == ("DUTY", "s.16LA")
    assert (the(before, "dsl@school").lawful_basis, the(before, "dsl@school").gateway) == ("PUBLIC_TASK", "s.11")


def test_of_two_clocks_the_shorter_runs():
    rules = (a_rule("slow", clock="same_day"), a_rule("fast", clock="1_hour"))

    assert the(decided(*rules), "dsl@school").clock == "1_hour"


def test_a_category_is_short_only_while_no_rule_grants_it_in_full():
    short = a_rule("short", share="existence clinical", short=frozenset({Category.CLINICAL}))

    assert the(decided(short), "dsl@school").short == (Category.CLINICAL,)
    assert the(decided(short, a_rule("full", share="existence clinical")), "dsl@school").short == ()


def test_a_recipient_in_two_roles_is_told_once():
    desk = area().recipients[RecipientId("dsl@school")]
    both = replace(desk, roles=desk.roles | {"gp"}, serves=desk.serves | {"ods:A00001"})
    others = {name: one for name, one in area().recipients.items() if name != "gp@practice"}
    verdict = decided(
        a_rule("school"),
        a_rule("practice", to="gp", share="existence concern"),
        registers=replace(area(), recipients={**others, desk.id: both}),
    )

    assert [one.recipient for one in verdict.decisions] == ["dsl@school"]
    assert verdict.decisions[0].granted == (Category.EXISTENCE, Category.CONCERN)


def test_whoever_is_let_go_in_this_instant_still_hears_and_later_no_longer():
    left = a_child(connections=(a_tie("school", SCHOOL, until=AT), a_tie("school", OTHER_SCHOOL)))

    assert [one.recipient for one in decided(a_rule("give"), facts=left).decisions] == ["dsl@other_school", "dsl@school"]
    assert [one.recipient for one in decided(a_rule("give"), facts=left, at=Millis(AT + 1)).decisions] == ["dsl@other_school"]


def test_a_tie_of_next_week_fills_no_role_yet():
    soon = a_child(connections=(a_tie("school", SCHOOL), a_tie("school", OTHER_SCHOOL, since=AT + 7 * DAY)))

    assert [one.recipient for one in decided(a_rule("give"), facts=soon).decisions] == ["dsl@school"]


def test_a_type_outside_the_catalogue_reaches_nobody_and_the_hub_hears_of_it():
    verdict = decided(a_rule("give"), event=an_event("what.is.this"))

    assert verdict.decisions == ()
    assert [gap.hub for gap in verdict.gaps] == ["hub@home"]
    assert "not in the catalogue" in verdict.others


def test_everybody_that_no_rule_names_is_one_sentence():
    assert (
        decided(a_rule("give", to="dsl gp")).others == "nobody else is told: no rule names any role for `it.happened` but dsl, gp"
    )


def test_an_attribute_has_only_its_agreed_values_and_silence_means_what_was_agreed():
    kind = EventKind(
        name="it.happened",
        says="it",
        sector="it",
        attributes={"grade": Attribute(name="grade", values=frozenset({"high", "low"}), absent="low")},
    )
    rule = a_rule("high-only", asks=(Condition(Question.ATTRIBUTE, "grade", frozenset({"high"})),))

    def outcome(**attributes):
        return the(decided(rule, event=an_event("it.happened", attributes=attributes), kind=kind), "dsl@school").outcome

    assert outcome(grade="high") is Outcome.DISCLOSE
    assert outcome(grade="low") is Outcome.WITHHOLD
    assert outcome() is Outcome.WITHHOLD
    assert outcome(grade="purple") is Outcome.ASK


@pytest.mark.parametrize(
    ("answers", "joined"),
    [((), True), ((True, True), True), ((True, None), None), ((None, False), False), ((False, True), False), ((None,), None)],
)
def test_unknown_joins_as_unknown_unless_something_is_no(answers: tuple[Answer, ...], joined: Answer):
    assert all_of(answers) is joined


def test_three_fields_are_never_one():
    """I6: consent, agreement to a service and what the family was told each answer only for themselves."""
    service = Condition(Question.AGREEMENT, "service", frozenset({"given"}))
    rule = a_rule("by-agreement", asks=(service,))

    def outcome(*agreements, told=None):
        facts = a_child(agreements=agreements, told=told or {})
        return the(decided(rule, facts=facts), "dsl@school").outcome

    consent = Agreement(kind="consent", state="given", since=Millis(0), event_id=EventId("a"))
    assert outcome(consent) is Outcome.ASK
    assert outcome(told={EventId("event-1"): "YES"}) is Outcome.ASK
    assert outcome(replace(consent, kind="service")) is Outcome.DISCLOSE
    assert outcome(replace(consent, kind="service", state="withdrawn"), consent) is Outcome.WITHHOLD
    assert outcome(replace(consent, kind="service", until=Millis(AT))) is Outcome.ASK


def test_a_cut_speaks_only_where_it_bears_on_something():
    keep = a_rule("no-referrer", effect="withhold", to="", share="", cut=frozenset({Cut.REFERRER}))

    assert the(decided(a_rule("give"), keep), "dsl@school").cuts == ()
    assert the(decided(a_rule("give", share="existence third_party"), keep), "dsl@school").cuts == (Cut.REFERRER,)


def test_no_condition_can_look_at_monitoring_data_or_free_text():
    """R29: what conditions see holds header, facts and the roles of parties; there is no other part of the body in it."""
    seen = {one.name for one in fields(Known)}

    assert seen == {
        *("header", "at", "identified", "birth_date", "area", "ties", "held", "protections"),
        *("findings", "agreements", "wishes", "parties"),
    }
    assert Category.MONITORING not in SHAREABLE
    assert Category.MONITORING.value not in {question.value for question in Question}


def test_two_types_outside_the_catalogue_are_told_apart_by_nothing():
    """I5: what was asked before changes no answer."""
    policy = a_policy(a_rule("give"))
    first = decide(an_event("first.unknown"), a_child(), policy, area(), AT)

    assert bytes(decide(an_event("second.unknown"), a_child(), policy, area(), AT)) == bytes(first)
