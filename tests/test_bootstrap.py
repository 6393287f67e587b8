"""The one place that chooses implementations, and what agrees with it."""

import pytest

from broker import bootstrap
from broker.cli.refusals import REFUSALS
from broker.errors import InputError, RejectError, RetryError, UnreadableRecordError
from broker.policyfile import policy_content
from broker.sealing.secrets import Secrets
from broker.stream.engine.chunk import FAULT, MALFORMED
from broker.stream.releases.book import Release, decode_release, encode_release
from broker.stream.watching.lag_plan import STAGE_INPUTS


def all_reasons(family: type[RejectError] = RejectError) -> set[str]:
    return {family.reason}.union(*(all_reasons(one) for one in family.__subclasses__()))


def test_lag_watches_what_the_stages_read() -> None:
    stages = bootstrap.make_stages(Secrets.from_master(b"m" * 32), bootstrap.make_book())

    assert {stage.name: stage.inputs for stage in stages} == STAGE_INPUTS


def test_stages_come_in_the_order_in_which_an_event_meets_them() -> None:
    stages = bootstrap.make_stages(Secrets.from_master(b"m" * 32), bootstrap.make_book(), ("decide", "intake"))

    assert [stage.name for stage in stages] == ["intake", "decide"]


def test_an_unknown_stage_is_told_with_those_there_are() -> None:
    with pytest.raises(InputError, match="stage `decides` is not known: the stages are intake, identify, decide, deliver"):
        bootstrap.make_stages(Secrets.from_master(b"m" * 32), bootstrap.make_book(), ("decides",))


def test_the_book_keeps_every_version_and_knows_the_newest() -> None:
    book = bootstrap.make_book()
    with pytest.raises(RetryError, match="no policy has been released: run `broker policy release`"):
        book.newest_policy()
    first, second = Release("policy", "1", policy_content()), Release("policy", "2", b"{}")
    book.enter(first)
    book.enter(second)

    assert book.latest("policy") == second
    assert book.all("policy") == (first, second)
    assert book.policy(first.digest).digest == first.digest


def test_a_release_that_is_not_what_its_digest_says_is_refused() -> None:
    whole = encode_release(Release("policy", "1", b"0" * 500))
    with pytest.raises(UnreadableRecordError):
        decode_release(whole[:-3] + b"abc")


def test_every_reason_for_a_dead_letter_has_its_remedy() -> None:
    assert all_reasons() | {FAULT, MALFORMED} <= set(REFUSALS)
