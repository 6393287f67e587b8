"""One child of a children in need census: what its record says, as facts, and what is wrong with it, as findings.

Knows the elements of the census; knows nothing of files, snapshots or events.
"""

from typing import Any

from broker.core.model.event import ConcernCode, Identifier, Identity, SubjectRole
from broker.core.model.identifiers import AgencyId, upn_is_valid
from connectors.councils.cin_codes import (
    ABUSE,
    CODE_FORM,
    CODES,
    HOLDS,
    NO_FACTOR,
    SEX,
    SEX_CODES,
    SEX_SINCE,
    STARTS,
    TO_COME,
    UNREAD,
    YES_NO,
    Notes,
)
from connectors.councils.cin_parts import Part, iso_date, part_of
from connectors.councils.snapshots import UNDATED, Fact, OnChange, Shown

_LONGEST_ID = 64
_LONGEST_NUMBER = 4


class ChildRecord:
    """The record of one child. `local_id` is None when it cannot be taken."""

    def __init__(self, element: Any, notes: Notes, *, year: int, taken: str) -> None:
        self.line: int = element.sourceline
        self.local_id: str | None = None
        self.role = SubjectRole.SUBJECT
        self.facts: list[Fact] = []
        self._notes = notes
        self._taken = taken
        self._keys: set[str] = set()
        self._lost = 0  # values that could not be read
        self._unread: set[str] = set()
        self._unsure = False
        self._who: dict[str, str] = {}
        self._monitoring: dict[str, Any] = {}
        episodes = []
        if element.find("ChildIdentifiers") is None:
            notes.add("local-id-missing", self.line, "ChildIdentifiers")
        for part in element:
            if part.tag == "CINdetails":
                episodes.append(part)
            elif part.tag == "ChildIdentifiers":
                self._read_identifiers(part_of(part), year)
            elif part.tag == "ChildCharacteristics":
                self._read_characteristics(part)
            else:
                notes.add("element-unread", part.sourceline, "Child")
        for part in episodes:
            self._read_episode(part)
        if self._who.get("PersonDeathDate"):
            died = self._who["PersonDeathDate"]
            self._follows(died, self._who.get("PersonBirthDate"), "PersonDeathDate", self.line)
            self.facts.append(Fact("child.died", died, died, {}))

    def identity(self, issuer: AgencyId) -> Identity:
        """Return who the child is; the local id is the council's own."""
        assert self.local_id is not None, "a record without local id makes no events"
        who = self._who
        identifiers: list[Identifier] = [{"scheme": "la_child_id", "value": self.local_id, "issuer": issuer}]
        for name, scheme in (("UPN", "upn"), ("FormerUPN", "former_upn")):
            if who.get(name):
                identifiers.append({"scheme": scheme, "value": who[name], "check_ok": upn_is_valid(who[name])})
        identity: Identity = {"identifiers": identifiers}
        if who.get("PersonBirthDate"):
            identity["birth_date"] = who["PersonBirthDate"]
        elif who.get("ExpectedPersonBirthDate"):
            identity["expected_birth_date"] = who["ExpectedPersonBirthDate"]
        if "sex" in who:
            identity["sex"], identity["sex_as_recorded"] = SEX[who["sex"]], who["sex"]
        return identity

    @property
    def birth_date(self) -> str:
        """Return when the child was or is to be born; empty when it is not said."""
        return self._who.get("PersonBirthDate") or self._who.get("ExpectedPersonBirthDate", "")

    def shown(self, issuer: AgencyId) -> Shown:
        """Return all of it, to be compared with what is known."""
        return Shown(dict(self.identity(issuer)), self.facts, tuple(self._unread), self._unsure)

    def _read_identifiers(self, part: Part, year: int) -> None:
        local_id = part.values.get("LAchildID", "")
        if not local_id or len(local_id) > _LONGEST_ID:
            self._notes.add("local-id-too-long" if local_id else "local-id-missing", part.line, "LAchildID")
        else:
            self.local_id = local_id
        for name in ("PersonBirthDate", "PersonDeathDate"):
            self._who[name] = self._date(part, name) or ""
        expected = iso_date(part.values.get("ExpectedPersonBirthDate", ""))
        if not self._who["PersonBirthDate"]:
            if expected:
                self._who["ExpectedPersonBirthDate"] = expected
                self.role = SubjectRole.UNBORN
            else:
                if not self._is_to_come(part, "PersonBirthDate"):
                    self._notes.add("birth-date-missing", part.line, "PersonBirthDate")
                self._unsure = True
        self._read_upn(part)
        self._read_sex(part, year)

    def _read_upn(self, part: Part) -> None:
        for name in ("UPN", "FormerUPN"):
            value = part.values.get(name, "").replace(" ", "").upper()
            if len(value) > _LONGEST_ID:
                self._unsure = True
            elif value:
                self._who[name] = value
            if value and not upn_is_valid(value):
                self._notes.add("upn-check", part.line, name)
        if self._code(part, "UPNunknown") and self._who.get("UPN"):
            self._notes.add("upn-both", part.line, "UPNunknown")

    def _read_sex(self, part: Part, year: int) -> None:
        for name, codes in SEX_CODES.items():
            value = part.values.get(name)
            if value is None:
                continue
            if (name == "Sex") != (year >= SEX_SINCE):
                self._notes.add("sex-element-year", part.line, name)
            if value not in codes:
                self._notes.add("sex-code", part.line, name)
            if value in SEX:
                self._who["sex"] = value
            self._unsure |= value not in SEX

    def _read_characteristics(self, element: Any) -> None:
        part = part_of(element)
        if ethnicity := self._code(part, "Ethnicity"):
            self._monitoring["ethnicity"] = ethnicity
        codes = part.texts()
        if codes:
            listed = (self._listed("Disability", code, part.line) for code in codes)
            self._monitoring["disabilities"] = [code for code in listed if code]

    def _read_episode(self, element: Any) -> None:
        part, lost = part_of(element), self._lost
        referred = self._date(part, "CINreferralDate")
        if referred is None and not self._is_to_come(part, "CINreferralDate"):
            self._notes.add("referral-date-missing", part.line, "CINreferralDate")
            self._lose("CINreferralDate")
        key = self._unique(referred or UNDATED)
        no_action = self._yes_no(part, "ReferralNFA")
        source = self._code(part, "ReferralSource")
        need = self._code(part, "PrimaryNeedCode")
        says = f"{source}|{need}|{no_action}"
        concern: dict[str, Any] = {"referral_source": source} if source else {}
        if need:
            concern["codes"] = [{"scheme": "cin-primary-need", "code": need}]
        if no_action:
            concern["decision"] = "no further action"
        body: dict[str, Any] = {"concern": concern}
        if self._monitoring:
            body["monitoring"] = self._monitoring
        self.facts.append(Fact(f"referral.received/{key}", says, referred, body, partial=self._lost > lost))
        self._read_opening(part, key, referred, no_action=no_action)
        for name in STARTS.keys() & part.values.keys():  # an element that holds nothing
            self._start(Part({}, [], part.line), STARTS[name])
        self._read_work(part.lists, key, referred)
        self._conference(part, key)
        self._read_closure(part, key, referred)

    def _read_opening(self, part: Part, key: str, referred: str | None, *, no_action: bool | None) -> None:
        """Note that a case was opened: an episode is work with the child, unless the return says that nothing followed."""
        said = bool(part.values.get("ReferralNFA"))
        if not said:
            self._notes.add("no-action-not-said", part.line, "ReferralNFA")
        if no_action is False or not said:
            self.facts.append(Fact(f"case.opened/{key}", "", referred, {}))
        elif no_action and part.lists:
            self._notes.add("no-action-but-work", part.line, "ReferralNFA")

    def _read_work(self, nested: list[Any], key: str, referred: str | None) -> None:
        for element in nested:
            name, part = element.tag, part_of(element)
            if name == "Assessments":
                self._read_assessment(part, key)
            elif name == "CINPlanDates":
                self._read_cin_plan(part, key)
            elif name == "Section47":
                self._read_section_47(part, key)
            elif name == "ChildProtectionPlans":
                start = self._read_protection_plan(part, key)
                self._follows(start, referred, "CPPstartDate", part.line)
            else:
                self._notes.add("element-unread", part.line, name if name in UNREAD else "CINdetails")

    def _read_assessment(self, part: Part, key: str) -> None:
        start = self._start(part, "AssessmentActualStartDate")
        if start is None:
            return
        own, lost = self._unique(f"{key}/{start}/assessment"), self._lost
        listed = [code for text in part.texts() if (code := self._listed("AssessmentFactors", text, part.line))]
        codes = [_factor(code) for code in listed]
        if not codes and "FactorsIdentifiedAtAssessment" in part.values:
            self._notes.add("factors-empty", part.line, "FactorsIdentifiedAtAssessment")
        authorised = self._date(part, "AssessmentAuthorisationDate")
        factors = {"concern": {"codes": codes}} if codes else {}
        said = ",".join(sorted(listed))
        change = OnChange.STAYS if authorised else OnChange.CORRECTS  # at the end its factors are told with the authorisation
        says = "" if authorised else said
        partial = self._lost > lost
        begun = {} if authorised else factors
        self.facts.append(Fact(f"assessment.started/{own}", says, start, begun, change, partial=partial))
        if authorised:
            self._follows(authorised, start, "AssessmentAuthorisationDate", part.line)
            told = f"{authorised}|{said}"
            self.facts.append(Fact(f"assessment.authorised/{own}", told, authorised, factors, partial=partial))

    def _read_cin_plan(self, part: Part, key: str) -> None:
        start = self._start(part, "CINPlanStartDate")
        if start is None:
            return
        own = self._unique(f"{key}/{start}/cin_plan")
        self.facts.append(Fact(f"cin_plan.started/{own}", "", start, {"concern": {"status": "cin_plan", "starts_on": start}}))
        self._ending(part, "CINPlanEndDate", f"cin_plan.ended/{own}", start)

    def _read_section_47(self, part: Part, key: str) -> None:
        start, lost = self._start(part, "S47ActualStartDate"), self._lost
        not_required = self._yes_no(part, "ICPCnotRequired")
        target = self._date(part, "InitialCPCtarget", future=True)
        if start is not None:
            own = self._unique(f"{key}/{start}/s47")
            concern = {"status": "s47", "starts_on": start}
            if not_required:
                concern["decision"] = "initial child protection conference not required"
            elif target:
                concern["next_step"] = f"initial child protection conference due by {target}"
            body, says = {"concern": concern}, f"{not_required}|{target}"
            self.facts.append(Fact(f"s47.started/{own}", says, start, body, partial=self._lost > lost))
        held = self._conference(part, key)
        self._follows(held, start, "DateOfInitialCPC", part.line)

    def _conference(self, part: Part, key: str) -> str | None:
        """Note an initial child protection conference; the same date in the episode and in its enquiry is one."""
        held = self._date(part, "DateOfInitialCPC")
        name = f"icpc.held/{key}/{held}"
        if held and name not in self._keys:
            self._keys.add(name)
            self.facts.append(Fact(name, "", held, {}))
        return held

    def _read_protection_plan(self, part: Part, key: str) -> str | None:
        start = self._start(part, "CPPstartDate")
        if start is None:
            return None
        own, lost = self._unique(f"{key}/{start}/cp_plan"), self._lost
        first = self._code(part, "InitialCategoryOfAbuse")
        before = self._number(part, "NumberOfPreviousCPP")
        partial = self._lost > lost
        latest = self._code(part, "LatestCategoryOfAbuse")
        concern: dict[str, Any] = {"status": "cp_plan", "starts_on": start}
        if first:
            concern["category_of_abuse"] = first
        if before:
            concern["codes"] = [{"scheme": "cin-previous-cp-plans", "code": before, "present": int(before) > 0}]
        body, says = {"concern": concern}, f"{first}|{before}"
        self.facts.append(Fact(f"cp_plan.started/{own}", says, start, body, partial=partial))
        if latest:
            body = {"concern": {"status": "cp_plan", "category_of_abuse": latest}}
            same = latest == first or first is None
            self.facts.append(Fact(f"cp_plan.category_changed/{own}", latest, self._taken, body, OnChange.HAPPENS, same))
        for text in part.texts():
            self._read_review(Part({"CPPreviewDate": text}, [], part.line), own, start)
        self._ending(part, "CPPendDate", f"cp_plan.ended/{own}", start)
        return start

    def _read_review(self, part: Part, own: str, start: str) -> None:
        held = self._date(part, "CPPreviewDate")
        if held:
            self._follows(held, start, "CPPreviewDate", part.line)
            self.facts.append(Fact(self._unique(f"cp_plan.reviewed/{own}/{held}"), "", held, {"concern": {"status": "cp_plan"}}))

    def _ending(self, part: Part, name: str, key: str, start: str) -> None:
        ended = self._date(part, name)
        if ended:
            self._follows(ended, start, name, part.line)
            status = key.partition(".")[0]
            self.facts.append(Fact(key, ended, ended, {"concern": {"status": status, "starts_on": start, "ends_on": ended}}))

    def _read_closure(self, part: Part, key: str, referred: str | None) -> None:
        closed, lost = self._date(part, "CINclosureDate"), self._lost
        reason = self._code(part, "ReasonForClosure")
        if closed is None:
            return
        self._follows(closed, referred, "CINclosureDate", part.line)
        if not reason:
            self._notes.add("closure-reason-missing", part.line, "ReasonForClosure")
        body = {"concern": {"reason": reason, "ends_on": closed}} if reason else {"concern": {"ends_on": closed}}
        self.facts.append(Fact(f"case.closed/{key}", f"{closed}|{reason}", closed, body, partial=self._lost > lost))

    def _unique(self, key: str) -> str:
        """Return a key, numbered when the record already holds one like it."""
        number, name = 1, key
        while name in self._keys:
            number += 1
            name = f"{key}#{number}"
        self._keys.add(name)
        return name

    def _lose(self, name: str) -> None:
        """Note that an element could not be read: what it would have said is unknown, not gone."""
        self._lost += 1
        if name in HOLDS:
            self._unread.add(HOLDS[name])

    def _start(self, part: Part, name: str) -> str | None:
        found = self._date(part, name)
        if found is None and not self._is_to_come(part, name):
            self._notes.add("start-date-missing", part.line, name)
            self._lose(name)
        return found

    def _date(self, part: Part, name: str, *, future: bool = False) -> str | None:
        """Return a date. What has not come is not so yet, planned or written wrong: it is noted, and told by a later return."""
        text = part.values.get(name)
        if not text:
            return None
        found = iso_date(text)
        if found is None:
            self._notes.add("date-unreadable", part.line, name)
            self._lose(name)
        elif found > self._notes.today and not future:
            self._notes.add(TO_COME.get(name, "date-in-future"), part.line, name)
            self._lose(name)
            return None
        return found

    def _is_to_come(self, part: Part, name: str) -> bool:
        """Tell whether a date is one, of a day that has not come."""
        return (iso_date(part.values.get(name, "")) or "") > self._notes.today

    def _follows(self, later: str | None, earlier: str | None, name: str, line: int) -> None:
        if later and earlier and later < earlier:
            self._notes.add("date-order", line, name)

    def _code(self, part: Part, name: str) -> str | None:
        code = part.values.get(name)
        return self._listed(name, code, part.line) if code else None

    def _listed(self, name: str, code: str, line: int) -> str | None:
        """Return a code; one that is not in its list is noted, and passed on only when it has the form of a code."""
        if code in CODES[name]:
            return code
        self._notes.add("unknown-code", line, name)
        if CODE_FORM.match(code):
            return code
        self._lose(name)
        return None

    def _number(self, part: Part, name: str) -> str:
        text = part.values.get(name, "")
        if not text or (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
            return text
        self._notes.add("number-unreadable", part.line, name)
        self._lose(name)
        return ""

    def _yes_no(self, part: Part, name: str) -> bool | None:
        text = part.values.get(name)
        if not text:
            return None
        answer = YES_NO.get(text.lower())
        if answer is None:
            self._notes.add("yes-no-unreadable", part.line, name)
            self._lose(name)
        elif not text.isdigit():
            self._notes.add("yes-no-form", part.line, name)
        return answer


def _factor(code: str) -> ConcernCode:
    coded: ConcernCode = {"scheme": "cin-assessment-factor", "code": code, "present": code != NO_FACTOR}
    if code in ABUSE:
        coded["abuse"] = ABUSE[code]
    return coded
