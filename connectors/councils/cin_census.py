"""Reads the children in need census of a council (DfE, XML, collection years 2017 to 2026) as a series of snapshots.

Each return shows the whole caseload; events are what changed since the last accepted return of that council. Elements are
read by name, in any order, as public files differ from every yearly XSD. The census holds no name and no NHS number: the
council's identity extract gives its local ids theirs.
"""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from broker.core.intake.delivery import Delivery, Finding, Memory, Piece, check_readable
from broker.core.model.event import (
    Action,
    Assertion,
    Body,
    Control,
    Event,
    Header,
    Identity,
    QualityFinding,
    Sector,
    Source,
)
from broker.core.model.identifiers import EventId, event_id
from broker.errors import CutOffError, DeliveryError
from connectors.councils.cin_child import ChildRecord
from connectors.councils.cin_codes import Notes
from connectors.councils.cin_header import Return, check_follows, day_of, in_words, read_header
from connectors.councils.snapshots import Change, Gone, Known, Snapshot, forget_last_return, last_return

_FORMAT = "cin-census"
_HARDENED: Any = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
_HISTORY = {"history": "yes"}  # applied to what is known, told to nobody
_BLOCK = 1 << 16
_CUT_SHORT = frozenset((5, 73, 77))  # libxml2: document empty or ended, start tag or element not finished
_ENCODINGS = frozenset((6, 9, 32, 81))  # libxml2: invalid character, unsupported or invalid encoding


class CinCensus:
    """The connector for the children in need census."""

    name: str = _FORMAT
    sector: Sector = Sector.COUNCILS

    def claims(self, names: tuple[str, ...]) -> bool:
        """Tell whether this is one XML file: each return is a file of its own."""
        return len(names) == 1 and names[0].lower().endswith(".xml")

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        """Yield what changed since the council's last return, then what is no longer in it.

        Raises DeliveryError when the file is no census, is not well formed to its end, is of no year that can be, belongs to
        another council than the files before, or is older than the last one accepted; TooLargeError when it is larger than an
        inbox takes.
        """
        (piece,) = delivery.pieces
        _check_well_formed(piece)
        elements = _elements(piece)
        header, findings = read_header(next(elements), delivery)
        snapshot = Snapshot(memory, _FORMAT, year=header.year, taken=header.taken)
        check_follows(header, snapshot)
        yield from findings
        maker = _Maker(delivery, header, snapshot.number)
        notes = Notes(day_of(delivery.received_at))
        children = 0
        for element in elements:
            children = notes.child = children + 1
            child = ChildRecord(element, notes, year=header.year, taken=header.taken)
            known = _known(child, snapshot, notes)
            quality = tuple(notes.quality)
            yield from notes.drain()
            if known is not None:
                maker.place = f"child {children}, line {child.line}"
                changes = snapshot.changes(known, child.shown(delivery.agency.id))
                refused = []
                for change, event in maker.events(child, changes, quality):
                    if not delivery.takes(event):
                        refused.append(change)
                    yield event
                if refused:
                    snapshot.untell(known, refused)
        if not children and snapshot.first:
            yield Finding(
                "error", "no-child", "Children", "the return holds no child: nothing is remembered of it", "export it again"
            )
            return  # as a first return it would make all that the next one holds news
        yield from _take_back(maker, snapshot, children)
        snapshot.close(council=header.council, recorded_at=str(header.recorded_at))

    def last_accepted(self, memory: Memory) -> str | None:
        """Say which return was accepted last, and what it means to forget it; None when there is none."""
        last = last_return(memory, _FORMAT)
        return in_words(last) if last else None

    def forget_last(self, memory: Memory) -> None:
        """Go back to the return before the last accepted one."""
        forget_last_return(memory, _FORMAT)


class _Maker:
    """Makes the events of one return."""

    def __init__(self, delivery: Delivery, header: Return, number: int) -> None:
        self.delivery = delivery
        self._return = header
        self.council = header.council
        self.place = ""
        self._agency = delivery.agency
        self._system = f"{_FORMAT}:{delivery.agency.id}"
        self._number = number
        self._digest = delivery.pieces[0].digest

    def events(
        self, child: ChildRecord, changes: list[Change], quality: tuple[QualityFinding, ...]
    ) -> Iterator[tuple[Change, Event]]:
        """Yield the news about one child, oldest first."""
        if not changes:
            return
        who = child.identity(self._agency.id)
        source = self._source(self.place)
        for change in sorted(changes, key=_when):
            yield change, self._event(change, child, who, source, quality)

    def retraction(self, gone: Gone) -> Event:
        """Make the event that takes back one that is no longer in the return."""
        header = Header(
            event_id=self._id(gone.child, gone.key, gone.version),
            event_type=f"council.{gone.key.partition('/')[0]}",
            action=Action.RETRACT,
            supersedes=self._id(gone.child, gone.key, gone.supersedes),
            producer=self._agency.id,
            sector=Sector.COUNCILS,
            area=self._agency.area,
            occurred_at=self._return.taken,
            recorded_at=self._return.recorded_at,
            received_at=self.delivery.received_at,
            sequence=self._return.recorded_at + self._number,
            assertion=Assertion.FACT,
            source=self._source("no longer in the return"),
        )
        return Event(header, {"identity": gone.who})  # type: ignore[typeddict-item] # an Identity as it was remembered

    def _event(
        self, change: Change, child: ChildRecord, who: Identity, source: Source, quality: tuple[QualityFinding, ...]
    ) -> Event:
        key, occurred_at = change.fact.key, change.fact.occurred_at
        local_id = child.local_id or ""
        header = Header(
            event_id=self._id(local_id, key, change.version),
            event_type=f"council.{key.partition('/')[0]}",
            action=change.action,
            supersedes=self._id(local_id, *change.supersedes) if change.supersedes else None,
            producer=self._agency.id,
            sector=Sector.COUNCILS,
            area=self._agency.area,
            occurred_at=occurred_at,
            recorded_at=self._return.recorded_at,
            received_at=self.delivery.received_at,
            sequence=self._return.recorded_at + self._number,
            subject_role=child.role,
            assertion=Assertion.FACT,
            attributes=_HISTORY if change.history else {},
            source=source,
        )
        body: Body = {"identity": who, **change.fact.body}  # type: ignore[typeddict-item] # groups of a body, by their names
        if key == "child.died":
            body["identity"] = {**who, "death_date": occurred_at}
        return Event(header, body, self._control(key, occurred_at) if key.startswith("case.") else None, quality)

    def _control(self, key: str, day: str | None) -> Control:
        """Say what a case that opens or closes changes: whether this council's team works with the child."""
        organisation = f"la:{self._agency.id}"
        if key.startswith("case.opened"):
            return {"role": "social_care", "organisation": organisation, "state": "begun", "since": day}
        return {"role": "social_care", "organisation": organisation, "state": "ended", "until": day}

    def _id(self, child: str, key: str, version: str) -> EventId:
        return event_id(self._system, f"{self._return.council}/{child}/{key}", version)

    def _source(self, location: str) -> Source:
        return Source(self._return.software, _FORMAT, str(self._return.year), self._digest, location)


def _known(child: ChildRecord, snapshot: Snapshot, notes: Notes) -> Known | None:
    """Return what is remembered of a child, or None when its record cannot be taken."""
    known = snapshot.known(child.local_id) if child.local_id else None
    if known is not None and known.again:
        clash = _is_another(known.who, child.birth_date)
        notes.add("child-clash" if clash else "child-twice", child.line, "LAchildID")
        known = None if clash else known
    if known is None:
        snapshot.skip()
    return known


def _is_another(who: dict[str, Any], birth_date: str) -> bool:
    before = who.get("birth_date") or who.get("expected_birth_date")
    return bool(before and birth_date and before != birth_date)


def _when(change: Change) -> str:
    return change.fact.occurred_at or ""


def _count(children: int) -> str:
    return "1 child" if children == 1 else f"{children} children"


def _take_back(maker: _Maker, snapshot: Snapshot, children: int) -> Iterator[Event | Finding]:
    """Yield retractions of what the return no longer holds, or the finding that a person has to confirm them."""
    missing = snapshot.missing(accept=maker.delivery.accept_disappearances, children=children)
    if snapshot.first:
        message = f"first return of this council: what it holds of {_count(children)} is recorded and alerts nobody"
        own = f"if {maker.council} is not this council's number" if maker.council else "if it was the wrong file"
        yield Finding("info", "first-snapshot", "Children", message, f"nothing; {own}, take it back with --forget-last")
    if missing.kept:
        message = (
            f"of {_count(missing.kept)} something told before may be what could not be read now: nothing of it is taken back"
        )
        yield Finding("warning", "kept-unread", "Children", message, "correct the records named here and deliver again")
    if missing.held:
        earlier = f" ({missing.earlier} more in the returns before of this year)" if missing.earlier else ""
        lost = f"{missing.children} of {missing.known} children lost records since the return before{earlier}"
        remedy = "check the export; if they are truly gone, deliver the file again with --accept-disappearances"
        yield Finding("error", "mass-disappearance", "Children", f"{lost}: nothing was taken back", remedy)
        return
    if missing.children:
        message = f"{missing.children} of {missing.known} children lost records since the return before: these were taken back"
        yield Finding("info", "disappearance", "Children", message, "nothing to do if this was meant")
    refused: list[Gone] = []
    for gone in snapshot.take_back(refused):
        event = maker.retraction(gone)
        if not maker.delivery.takes(event):
            refused.append(gone)
        yield event


class _Guard:
    """Parses without keeping anything; refuses a document type, which is how entity bombs come in."""

    def doctype(self, name: str, public: str, system: str) -> None:  # noqa: ARG002 - lxml's signature
        """Refuse."""
        raise DeliveryError("file declares a document type, which a census never does: export it again")

    def close(self) -> None:
        """Return nothing; lxml calls this at the end."""


def _check_well_formed(piece: Piece) -> None:
    """Read the file once to its end, so that nothing of a file that breaks off is published."""
    check_readable(piece)
    guard: Any = _Guard()
    parser = etree.XMLParser(target=guard, **_HARDENED)
    try:
        with piece.open() as stream:
            while block := stream.read(_BLOCK):
                parser.feed(block)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise _fault(error) from None
    with piece.open() as stream:
        _, root = next(etree.iterparse(stream, events=("start",), **_HARDENED))
        if etree.QName(root).localname != "Message":
            raise DeliveryError("file is XML but no census return: its first element is not `Message`")


def _fault(error: etree.XMLSyntaxError) -> DeliveryError:
    """Say where a file is broken without repeating any of it."""
    place = f"line {error.lineno}, column {error.offset}"
    code = getattr(error, "code", None)
    if code in _CUT_SHORT:
        return CutOffError(f"file breaks off at {place}: export or copy it again")
    if code in _ENCODINGS:
        return DeliveryError(f"file is not in the encoding that it declares: {place}: save it as UTF-8")
    return DeliveryError(f"file is not well-formed XML: {place}: export it again")


def _elements(piece: Piece) -> Iterator[Any]:
    """Yield the header, or None when there is none, then each child; each is forgotten when the next is asked for.

    Raises DeliveryError for what only building an element shows, as when it is nested too deep.
    """
    try:
        yield from _built(piece)
    except etree.XMLSyntaxError as error:
        raise _fault(error) from None


def _built(piece: Piece) -> Iterator[Any]:
    seen = False
    with piece.open() as stream:
        parsing = etree.iterparse(
            stream, events=("end",), tag=("{*}Header", "{*}Child"), remove_comments=True, remove_pis=True, **_HARDENED
        )
        for _, element in parsing:
            _without_namespace(element)
            parent = element.getparent()
            if element.tag == "Header":
                if not seen:
                    yield element
            elif parent is not None and etree.QName(parent).localname == "Children":
                if not seen:
                    yield None
                yield element
            else:
                continue
            seen = True
            _forget(element)
    if not seen:
        yield None


def _without_namespace(element: Any) -> None:
    if element.tag.startswith("{"):
        for sub in element.iter():
            sub.tag = etree.QName(sub).localname


def _forget(element: Any) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
