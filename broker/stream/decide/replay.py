"""Decide again what an audit entry says was decided, from nothing but the entry and the releases that it names (I5)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from broker.core.deciding.decide import decide
from broker.core.deciding.unmet import Unmet, unmet
from broker.core.model.facts import Finding
from broker.core.model.identifiers import Digest, Millis
from broker.core.model.policy import Policy
from broker.core.model.registers import Registers
from broker.core.model.verdict import Decision, Verdict
from broker.errors import RetryError, StopError, UnreadableRecordError
from broker.sealing.secrets import Secrets
from broker.stream.decide.enforce import REQUEST, decision_id
from broker.stream.decide.facts_record import request_from_bytes

Entry = Mapping[str, Any]  # a decoded audit entry


class Releases(Protocol):
    """Every version of policy and registers that was ever released."""

    def policy(self, wanted: Digest) -> Policy:
        """Return a version of the policy; raises RetryError while it is not here."""
        ...

    def registers(self, wanted: Digest) -> Registers:
        """Return a version of the registers; raises RetryError while it is not here."""
        ...


def replay(entry: Entry, secrets: Secrets, releases: Releases) -> Verdict:
    """Return what is decided today of the request that an entry keeps.

    Raises UnreadableRecordError when the entry keeps none, or it does not open: what the decision used was erased.
    """
    if not entry["request"]:
        raise UnreadableRecordError("the entry keeps no request: nothing was decided there")
    request, _ = request_from_bytes(secrets.open(entry["child_ref"], REQUEST, entry["request"]))
    policy, registers = releases.policy(entry["policy_digest"]), releases.registers(entry["registers_digest"])
    return decide(request.event, request.facts, policy, registers, Millis(entry["at"]))


def findings_read(entry: Entry, secrets: Secrets) -> Sequence[Finding]:
    """Return what people had found that bears on an entry: its own finding, or what somebody was not told by.

    None where the entry keeps no request, or it does not open any more.
    """
    try:
        request, _ = request_from_bytes(secrets.open(entry["child_ref"], REQUEST, entry["request"]))
    except UnreadableRecordError:
        return ()
    kept_back = any(one["withheld"] or one["asked"] for one in entry["decisions"])
    return tuple(one for one in request.facts.findings if kept_back or one.event_id == entry["event_id"])


def unmet_read(entry: Entry, secrets: Secrets, releases: Releases) -> Mapping[str, tuple[Unmet, ...]]:
    """Return, by the ids of an entry's decisions, which rules would have told more, and what of each was not so.

    None where the entry keeps no request, it does not open any more, or what it was decided under is not here.
    """
    try:
        verdict = replay(entry, secrets, releases)
        found = unmet(verdict, releases.policy(entry["policy_digest"]))
    except (UnreadableRecordError, RetryError, StopError):
        return {}
    return {decision_id(entry["event_id"], *who, verdict): rules for who, rules in found.items() if rules}


def differences(entry: Entry, verdict: Verdict) -> list[str]:
    """Return the ids of decisions that an entry and a verdict do not have alike; none when the entry replays.

    What went by the ledger (a correction, an escalation) is no decision about the event, and is passed over. Of a person's
    answer, or an outcome that goes back, an entry holds only the decisions that it is about.
    """
    again = {decision_id(entry["event_id"], one.recipient, one.role, verdict): _said(one) for one in verdict.decisions}
    by_rule = (one for one in entry["decisions"] if one["decision_id"] in again or not _by_ledger(one))
    before = {one["decision_id"]: {name: one[name] for name in _COMPARED} for one in by_rule}
    missing = again.keys() - before.keys() if entry["subject"] == "event" else set()
    return sorted(missing | {name for name, said in before.items() if again.get(name) != said})


def _by_ledger(said: Mapping[str, Any]) -> bool:
    return said["granted"] == ["existence"] and not said["withheld"] and not said["asked"]


def _said(made: Decision) -> dict[str, Any]:
    reasons = [{"rule": one.rule, "because": one.because, "categories": list(one.categories)} for one in made.reasons]
    lists = {name: list(getattr(made, name)) for name in ("granted", "withheld", "asked")}
    return {"outcome": made.outcome, **lists, "reasons": reasons, "lawful_basis": made.lawful_basis, "gateway": made.gateway}


_COMPARED = ("outcome", "granted", "withheld", "asked", "reasons", "lawful_basis", "gateway")
