"""Turn reports and counts into Prometheus metrics: Lightbend's names for lag, so that existing dashboards and alerts work.

No label holds anything of a child or an event: topics, stages, recipients, reasons and kinds only. Every worker of a place says
the same of the log, so take the maximum over workers and not the sum.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from broker.core.account.balance import NOWHERE, Balance
from broker.lag.evaluation import Status
from broker.lag.report import Report
from broker.lag.tally import Tally

CLUSTER = "safeguarding"
Family = GaugeMetricFamily | CounterMetricFamily


@dataclass(slots=True, eq=False)
class Standing(Collector):
    """What is to be shown now: set by whoever watches, read at every scrape. Nothing is shown before the first report."""

    report: Report | None = None
    tally: Tally = field(default_factory=Tally)
    balances: Sequence[Balance] = ()
    reconciled_at: int | None = None

    def collect(self) -> Iterable[Family]:
        """Return every metric; called by Prometheus' client."""
        yield from _counts(self.tally)
        if self.reconciled_at is not None:
            yield from _equation(self.balances, self.reconciled_at)
        if self.report is not None:
            yield from _lags(self.report)
            yield from _open_work(self.report)


def _lags(report: Report) -> Iterable[Family]:
    names = ["cluster_name", "group", "topic", "partition"]
    offset = GaugeMetricFamily("kafka_consumergroup_group_offset", "Last committed offset of a partition.", labels=names)
    lag = GaugeMetricFamily("kafka_consumergroup_group_lag", "Records that wait in a partition.", labels=names)
    seconds = GaugeMetricFamily("kafka_consumergroup_group_lag_seconds", "Age of the next record to be read.", labels=names)
    latest = GaugeMetricFamily(
        "kafka_partition_latest_offset", "End of a partition.", labels=["cluster_name", "topic", "partition"]
    )
    headroom = GaugeMetricFamily(
        "broker_retention_headroom_hours", "Hours until Kafka deletes the first unread record.", labels=["topic", "partition"]
    )
    for one in report.partitions:
        place = [CLUSTER, report.group, one.topic, str(one.partition)]
        offset.add_metric(place, one.committed)
        lag.add_metric(place, one.lag)
        seconds.add_metric(place, one.seconds)
        latest.add_metric([CLUSTER, one.topic, str(one.partition)], one.end)
        if one.headroom_hours is not None:
            headroom.add_metric([one.topic, str(one.partition)], one.headroom_hours)
    yield from (offset, lag, seconds, latest, headroom)
    yield from _maxima(report)


def _maxima(report: Report) -> Iterable[Family]:
    group = ["cluster_name", "group"]
    lag = GaugeMetricFamily("kafka_consumergroup_group_max_lag", "Records that wait, worst partition.", labels=group)
    seconds = GaugeMetricFamily("kafka_consumergroup_group_max_lag_seconds", "Seconds behind, worst partition.", labels=group)
    lag.add_metric([CLUSTER, report.group], max((one.lag for one in report.partitions), default=0))
    seconds.add_metric([CLUSTER, report.group], max((one.seconds for one in report.partitions), default=0.0))
    yield from (lag, seconds, *_sums(report, group))
    members = GaugeMetricFamily("broker_workers", "Workers in the group.", value=report.members)
    status = GaugeMetricFamily("broker_stage_status", "1 for the status that a stage has.", labels=["stage", "status"])
    worst: dict[str, Status] = {}
    for one in report.partitions:
        worst[one.stage] = max(worst.get(one.stage, Status.OK), one.status, key=lambda found: found.rank)
    for stage, found in worst.items():
        for each in Status:
            status.add_metric([stage, each.value], float(each is found))
    yield from (members, status)


def _sums(report: Report, group: list[str]) -> Iterable[Family]:
    whole = GaugeMetricFamily("kafka_consumergroup_group_sum_lag", "Records that wait, in all.", labels=group)
    by_topic = GaugeMetricFamily(
        "kafka_consumergroup_group_topic_sum_lag", "Records that wait in a topic.", labels=[*group, "topic"]
    )
    sums = Counter[str]()
    for one in report.partitions:
        sums[one.topic] += one.lag
    whole.add_metric([CLUSTER, report.group], sums.total())
    for topic, count in sums.items():
        by_topic.add_metric([CLUSTER, report.group, topic], count)
    return whole, by_topic


def _open_work(report: Report) -> Iterable[Family]:
    by_recipient = {
        "broker_undelivered_alerts": ("Alerts that a recipient has not received.", "count"),
        "broker_undelivered_oldest_seconds": ("Age of the oldest of them.", "oldest_seconds"),
        "broker_alerts_at_risk": ("Of them, those whose clock falls due within two hours.", "at_risk"),
        "broker_alerts_past_clock": ("Of them, those past their clock.", "past_due"),
    }
    for name, (meaning, value) in by_recipient.items():
        family = GaugeMetricFamily(name, meaning, labels=["recipient"])
        for one in report.undelivered:
            family.add_metric([one.recipient], getattr(one, value))
        yield family
    reviews = GaugeMetricFamily("broker_reviews_open", "Reviews that wait for a person.", labels=["kind"])
    for kind, count in report.reviews.items():
        reviews.add_metric([kind.lower()], count)
    yield reviews
    yield GaugeMetricFamily("broker_reviews_oldest_seconds", "Age of the oldest open review.", value=report.oldest_review_seconds)
    yield GaugeMetricFamily("broker_reviews_past_clock", "Open reviews past their clock.", value=report.reviews_past_due)
    yield GaugeMetricFamily("broker_dead_letters_open", "Dead letters not put back.", value=report.dead_letters)
    yield GaugeMetricFamily(
        "broker_dead_letters_oldest_seconds", "Age of the oldest dead letter.", value=report.oldest_dead_letter_seconds
    )
    silent = GaugeMetricFamily(
        "broker_feed_silent_seconds", "Feeds from which nothing came for unusually long.", labels=["topic"]
    )
    for feed in report.silent:
        silent.add_metric([feed.topic], feed.seconds)
    yield silent


def _counts(tally: Tally) -> Iterable[Family]:
    families = (
        ("broker_records", "Accepted records by how they ended.", "outcome", tally.records),
        ("broker_decisions", "Decisions for a recipient.", "outcome", tally.decisions),
        ("broker_dead_lettered", "Records that could not be taken.", "reason", tally.dead_letters),
        ("broker_reviews", "Reviews opened for a person; a gap is a role that nobody fills.", "kind", tally.reviews),
    )
    for name, meaning, label, counts in families:
        family = CounterMetricFamily(name, meaning, labels=[label])
        for value, count in sorted(counts.items()):
            family.add_metric([value], count)
        yield family


def _equation(balances: Iterable[Balance], at: int) -> Iterable[Family]:
    place = ["topic", "partition"]
    records = GaugeMetricFamily(
        "safeguarding_records",
        "Accepted records that Kafka still holds, by how they ended or where they are now: the reconciler's equation.",
        labels=[*place, "outcome"],
    )
    unaccounted = GaugeMetricFamily(
        "safeguarding_unaccounted",
        "Accepted records that do not add up: lost, made up, or ended in two ways. Anything but 0 needs a person.",
        labels=place,
    )
    for one in balances:
        where = [one.topic, str(one.partition)]
        for outcome, count in one.counts.items():
            if outcome != NOWHERE:
                records.add_metric([*where, outcome], count)
        unaccounted.add_metric(where, one.faults_in_all)
    yield from (records, unaccounted)
    yield GaugeMetricFamily(
        "safeguarding_reconciled_timestamp_seconds", "When the reconciler last came to the end of the log.", value=at / 1000
    )
