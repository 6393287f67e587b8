"""Generated children, events and policies' inputs, with every protected class, for the property tests."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from broker.core.model.event import Action, Assertion, Event, Sector, SharingMode, SubjectRole, ToldFamily
from broker.core.model.facts import Agreement, Facts, Finding, Protection, Status
from broker.core.model.identifiers import AgencyId, EventId, Millis
from broker.core.model.policy import Effect
from tests.core.values import AT, DAY, a_child, a_tie, an_event, area, england

ORGANISATIONS = ("urn:100001", "urn:100002", "ods:A00001", "ods:RX001", "la:E10000001", "la:E10000002", "urn:404404")
DESKS = tuple(area().recipients)
PROTECTIONS = ("safe_address", "restricted_record", "identity_changed", "protected_person")
CANARY = "Larkspur"  # a place name that must never be read; every place of a generated event holds it

# Most children have people around them and most events are told to somebody: else the properties would look at silence.
TOLD = tuple(sorted({name for rule in england().rules if rule.effect is Effect.DISCLOSE for name in rule.event_types}))


def _rarely(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((*(usual,) * 9, *others))


_ids = st.integers(1, 9).map(lambda one: EventId(f"fact-{one}"))
_when = st.integers(-30, 30).map(lambda days: Millis(AT + days * DAY))
_until = st.none() | st.none() | st.none() | _when
_since = st.just(Millis(AT - 400 * DAY)) | _when
_people = st.lists(st.sampled_from(DESKS), max_size=2).map(frozenset)

ties = st.builds(
    a_tie,
    relation=st.sampled_from(("school", "gp", "social_care", "hospital", "yjs", "health_visitor")),
    organisation=st.sampled_from(ORGANISATIONS),
    since=_since,
    until=_until,
)
statuses = st.builds(
    Status,
    name=st.sampled_from(("cp_plan", "looked_after", "cin", "s47", "missing")),
    since=_since,
    until=_until,
    organisation=st.sampled_from(("la:E10000001", "la:E10000002")),
    event_id=_ids,
)
protections = st.builds(Protection, kind=st.sampled_from(PROTECTIONS), since=_when, until=_until, by=st.just("x"), event_id=_ids)
findings = st.builds(
    Finding,
    kind=st.sampled_from(("significant_harm", "coercion", "competent", "detriment", "originator_release")),
    by_role=st.sampled_from(("clinician", "originator", "social_worker")),
    since=_when,
    until=_until,
    lapsed=st.booleans(),
    recipients=_people,
    event_id=_ids,
)
agreements = st.builds(
    Agreement,
    kind=st.sampled_from(("consent", "service")),
    state=st.sampled_from(("given", "refused", "withdrawn")),
    since=_when,
    until=_until,
    recipients=_people,
    event_id=_ids,
)


def _some(of: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[Any]:
    return st.lists(of, max_size=most).map(tuple)


children: st.SearchStrategy[Facts] = st.builds(
    a_child,
    birth_date=st.sampled_from((None, "2009", "2012-03", "2017-01-15", "2025-02-28", "not a date")),
    home_area=st.sampled_from((None, "E10000001", "E10000002", "E404")),
    connections=st.lists(ties, min_size=1, max_size=4).map(tuple),
    statuses=_some(statuses),
    protections=st.just(()) | st.just(()) | _some(protections, 1),
    findings=_some(findings),
    agreements=_some(agreements),
    wishes=st.sampled_from(({}, {"advocate": "wanted"}, {"advocate": "not_wanted"})),
    referrers=st.sampled_from(({}, {"open": "urn:100001"}, {"closed": "ods:RX001"})),
    cancelled=_rarely(frozenset(), frozenset({"event-1"})),
    holds=_rarely(frozenset(), frozenset({"x"})),
)


def bodies(mark: str = CANARY) -> st.SearchStrategy[Any]:
    """Every category at once, each text with a mark in it, so that a leak can be seen."""
    full = {
        "identity": {
            "identifiers": [
                {"scheme": "nhs_number", "value": "9000000009", "issuer": f"issuer {mark}", "verified": True},
                {"scheme": "upn", "value": f"upn {mark}"},
                {"scheme": "la_child_id", "value": f"la {mark}", "issuer": f"la {mark}"},
                {"scheme": "former_upn", "value": f"former {mark}"},
            ],
            "names": [{"given": "Ada", "family": "Byron", "kind": "usual"}, {"given": "Old", "family": "Name", "kind": "former"}],
            "birth_date": "2017-01-15",
        },
        "contact": {"telephones": [f"tel {mark}"], "emails": [f"{mark}@example"]},
        "location": {"postcode": f"post {mark}", "address": [f"1 {mark} Street"], "place": mark, "location_ref": f"ref {mark}"}
        | {"organisation": f"urn {mark}", "building": mark},
        "concern": {"codes": [{"scheme": "cin", "code": "1A", "present": True}], "reference": f"ref {mark}", "grade": "high"}
        | {"next_step": f"visit {mark}", "decision": f"at {mark}", "referral_source": f"source {mark}", "sessions": 4},
        "narrative": {"text": f"at {mark} lane"},
        "clinical": {
            "setting": "ward",
            "findings": f"seen at {mark}",
            "presentation": f"from {mark}",
            "disposition": f"to {mark}",
        },
        "intelligence": {"text": f"intelligence {mark}", "handling_code": "P", "originator": f"unit {mark}"},
        "third_party": {
            "people": [
                {"role": "mother", "contact_level": "lives with", "given": "Eve", "organisation": f"work {mark}"},
                {"role": "referrer", "given": f"neighbour {mark}", "family": "Lay"},
            ],
            "functional_impact": f"stays at {mark}",
        },
        "wish": {"words": f"I am at {mark}", "heard_by_role": "teacher"},
        "monitoring": {"ethnicity": f"code {mark}", "faith": mark},
    }
    return st.sets(st.sampled_from(sorted(full))).map(lambda names: {name: full[name] for name in sorted(names)})


@st.composite
def events(draw: st.DrawFn, body: st.SearchStrategy[Any] | None = None, *, mark: str = CANARY) -> Event:
    """An event of any type of the catalogue, its header full of places."""
    kind = draw(st.sampled_from(TOLD) | st.sampled_from(TOLD) | st.sampled_from(sorted(england().events)))
    attributes = {
        name: draw(_rarely("no", "yes", "?") if name == "history" else st.sampled_from((*sorted(one.values) * 3, "?")))
        for name, one in england().events[kind].attributes.items()
    }
    kept = draw(st.sets(st.sampled_from(sorted(attributes)))) if attributes else set()
    event = an_event(
        kind,
        body=draw(body if body is not None else bodies(mark)),
        producer=AgencyId(f"urn:{mark}"),
        sector=draw(st.sampled_from(Sector)),
        contact_point=f"desk of {mark}",
        area=draw(st.sampled_from((None, "E10000001", "E10000002"))),
        action=draw(st.sampled_from((Action.NEW, Action.UPDATE))),
        subject_role=draw(st.sampled_from(SubjectRole)),
        assertion=draw(st.sampled_from(Assertion)),
        told_family=draw(st.sampled_from(ToldFamily)),
        sharing_mode=draw(_rarely(SharingMode.CONTENT, SharingMode.EXISTENCE, SharingMode.EXISTENCE)),
        told_family_reason=f"because of {mark}",
        purpose=draw(_rarely("safeguarding", "marketing")),
        excluded=draw(st.just(()) | st.just(()) | st.lists(st.sampled_from(DESKS), max_size=2).map(tuple)),
        attributes={name: attributes[name] for name in sorted(kept)},
    )
    source = replace(event.header.source, system=f"system {mark}", location=f"line {mark}")
    return replace(event, header=replace(event.header, source=source))
