"""Metrics and health over HTTP."""

import socket
import urllib.error
import urllib.request
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.core.account.balance import Balance
from broker.errors import SettingsError
from broker.lag.endpoint import serve
from broker.lag.exposition import Standing
from broker.lag.health import STALE_MS, health
from broker.lag.report import SilentFeed
from broker.lag.tally import Tally
from tests.lag.test_words import NOW, a_lag, a_report, an_undelivered


def a_standing() -> Standing:
    tally = Tally(records=Counter(decided=1), decisions=Counter(disclose=1, withhold=1))
    tally.dead_lettered("bad_signature")
    tally.review_opened("GAP")
    report = a_report(
        a_lag(minutes=14),
        undelivered=(an_undelivered(at_risk=3),),
        reviews={"ASK": 2},
        dead_letters=1,
        silent=(SilentFeed(topic="events.health.v1", seconds=9_000, usual_seconds=60),),
    )
    police = Balance(
        topic="events.police.v1",
        partition=2,
        first=0,
        end=5,
        counts={"decided": 3, "in_flight": 1, "nowhere": 1},
        faults_in_all=1,
    )
    return Standing(report, tally, (police,), NOW)


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_have_the_names_that_dashboards_know_and_their_figures() -> None:
    with serve(0, a_standing(), lambda: (True, "well\n")) as port:
        status, text = get(port, "/metrics")
    found = samples(text)
    place = ("safeguarding", "g", "0", "events.police.v1")

    assert status == 200
    assert found["kafka_consumergroup_group_lag", *place] == 100
    assert found["kafka_consumergroup_group_lag_seconds", *place] == 14 * 60
    assert found["kafka_consumergroup_group_max_lag", "safeguarding", "g"] == 100
    assert found["kafka_consumergroup_group_max_lag_seconds", "safeguarding", "g"] == 14 * 60
    assert found["kafka_consumergroup_group_sum_lag", "safeguarding", "g"] == 100
    assert found["kafka_consumergroup_group_topic_sum_lag", "safeguarding", "g", "events.police.v1"] == 100
    assert found["kafka_partition_latest_offset", "safeguarding", "0", "events.police.v1"] == 340
    assert found["broker_alerts_at_risk", "urn:100001/dsl"] == 3
    assert found["broker_records_total", "decided"] == 1
    assert found["broker_decisions_total", "withhold"] == 1
    assert found["broker_dead_lettered_total", "bad_signature"] == 1
    assert found["broker_reviews_total", "gap"] == 1
    assert found["safeguarding_records", "decided", "2", "events.police.v1"] == 3
    assert found["safeguarding_records", "in_flight", "2", "events.police.v1"] == 1
    assert ("safeguarding_records", "nowhere", "2", "events.police.v1") not in found, "what is lost has a name of its own"
    assert found["safeguarding_unaccounted", "2", "events.police.v1"] == 1
    assert found["safeguarding_reconciled_timestamp_seconds",] == NOW / 1000
    assert found["broker_stage_status", "intake", "OK"] == 1


def test_health_is_words_and_its_code_is_for_machines() -> None:
    answers = iter([(True, "everything is up to date\n"), (False, "stopped\n")])
    with serve(0, Standing(), lambda: next(answers)) as port:
        assert get(port, "/health") == (200, "everything is up to date\n")
        assert get(port, "/health") == (503, "stopped\n")
        assert get(port, "/")[0] == 404


def test_a_port_that_is_taken_is_told_in_words() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(SettingsError, match=f"metrics port {port}: .*: choose another"),
            serve(port, Standing(), lambda: (True, "")),
        ):
            pass


@pytest.mark.parametrize(
    ("why", "expected", "report", "problem"),
    [
        ("nothing read yet", (False, "starting: nothing has been read yet\n"), None, None),
        ("all is well", (True, "everything is up to date\n"), a_report(a_lag()), None),
        ("the worker knows better", (False, "no policy is in force\n"), a_report(a_lag()), "no policy is in force"),
    ],
)
def test_health_in_words(why, expected, report, problem) -> None:
    assert health(report, NOW, problem=problem) == expected


def test_a_report_that_is_old_is_not_good_health() -> None:
    well, words = health(a_report(a_lag()), NOW + STALE_MS + 1)

    assert not well
    assert words.startswith("kafka has not answered for 60 s")


def test_a_stopped_stage_is_bad_health() -> None:
    well, words = health(a_report(a_lag(minutes=2, alive=False)), NOW)

    assert not well
    assert "start a worker" in words


def test_a_record_that_is_not_accounted_for_is_bad_health_and_told_first() -> None:
    well, words = health(a_report(a_lag(minutes=14), unaccounted={"events.police.v1": 2}), NOW)

    assert not well
    assert words.startswith("2 records of the police events are not accounted for; `broker reconcile` names them")


def test_nothing_is_said_of_the_equation_before_the_reconciler_came_to_the_end_of_the_log() -> None:
    assert not [family for family in Standing().collect() if family.name.startswith("safeguarding_")]
