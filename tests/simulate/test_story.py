import pytest
from pydantic import ValidationError

from broker.core.model.policy import Effect
from broker.policyfile import load_policy
from broker.simulate.story import Story, load_stories

STORIES = load_stories()
EVENTS_OF_THE_ISSUE = {
    "police.encompass.notified",
    "police.protection.used",
    "police.missing.reported",
    "police.missing.found",
    "police.intelligence.held",
    "school.concern.raised",
    "school.absence.reported",
    "school.suspension",
    "school.permanent_exclusion",
    "health.ed.attended",
    "health.injury.suspected",
    "council.referral.received",
    "council.referral.decided",
    "council.referral.outcome",
    "council.cp_plan.started",
    "council.care.started",
    "council.care.reviewed",
    "council.cp_plan.ended",
    "council.case.opened",
    "council.case.closed",
    "health.gp.registered",
    "school.pupil.registered",
    "control.consent",
    "control.service_agreement",
    "control.told_family",
    "control.protection",
    "control.finding",
    "identity.merged",
}


def test_there_are_at_least_twenty_five_stories_with_names_of_their_own():
    assert len({story.id for story in STORIES}) == len(STORIES) >= 25


def test_every_event_type_of_the_issue_happens_in_a_story():
    told = {step.event for story in STORIES for step in story.step}

    assert told >= EVENTS_OF_THE_ISSUE


def test_whatever_a_shipped_rule_tells_somebody_of_stands_in_a_story_with_who_must_and_who_must_never_hear():
    told_by_rules = {name for rule in load_policy().rules if rule.effect is Effect.DISCLOSE for name in rule.event_types}
    told_in_stories = {step.event for story in STORIES for step in story.step if step.hears and step.never}

    assert told_by_rules - told_in_stories == set()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.id)
def test_no_story_is_without_somebody_who_must_never_hear(story):
    assert story.canary or any(step.never for step in story.step)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.id)
def test_nobody_must_hear_and_must_never_hear_the_same(story):
    for step in story.step:
        assert not {hears.to for hears in step.hears} & set(step.never)


def test_a_story_with_an_unknown_child_is_refused():
    with pytest.raises(ValidationError, match="unknown child `nobody`"):
        Story.model_validate(
            {
                "id": "x",
                "title": "x",
                "why": "x",
                "children": {"child": {"age": 3}},
                "step": [{"key": "a", "day": 1, "child": "nobody", "event": "school.concern.raised"}],
            }
        )


def test_a_story_says_how_much_is_shared_only_where_its_form_can_say_it():
    step = {"key": "a", "day": 1, "child": "c", "event": "school.suspension", "sharing_mode": "EXISTENCE", "never": ["gp@c.gp"]}
    story = {"id": "x", "title": "x", "why": "x", "children": {"c": {"age": 9}}}

    with pytest.raises(ValidationError, match="its form has no `sharing_mode`"):
        Story.model_validate({**story, "step": [step]})
    assert Story.model_validate({**story, "step": [{**step, "feed": "canonical"}]}).step[0].sharing_mode == "EXISTENCE"
