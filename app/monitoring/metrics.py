"""Metrics for Prometheus: jobs, queues, workers and event streams."""

from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from app.http.services import ServicesDep
from app.jobs import repository
from app.workers import repository as workers

router = APIRouter(tags=["health"])

# Metrics of this process; all others are read from the database, which the processes share.
PROCESS = CollectorRegistry()
OPEN_STREAMS = Gauge("impasto_event_streams", "Open event streams of this process.", registry=PROCESS)


class DatabaseCollector(Collector):
    """Metrics that are the same in every API process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        """Read the metrics from the database."""
        jobs = GaugeMetricFamily("impasto_jobs", "Jobs there are.", labels=["kind", "lane", "state"])
        for row in repository.count_jobs(self._engine):
            jobs.add_metric([row["kind"], row["lane"], row["state"]], row["count"])
        yield jobs
        oldest = GaugeMetricFamily(
            "impasto_oldest_queued_seconds", "Age of the job that waits longest.", labels=["lane"]
        )
        for lane, seconds in repository.oldest_waiting(self._engine).items():
            oldest.add_metric([lane], seconds)
        yield oldest
        living = GaugeMetricFamily("impasto_workers", "Living workers.", labels=["lane", "device"])
        for worker in workers.list_alive(self._engine):
            for lane in worker.lanes:
                living.add_metric([lane, worker.device], 1)
        yield living


@router.get("/metrics", response_class=Response)
def metrics(services: ServicesDep) -> Response:
    """Metrics for Prometheus."""
    shared = CollectorRegistry(auto_describe=False)
    shared.register(DatabaseCollector(services.engine))
    return Response(generate_latest(shared) + generate_latest(PROCESS), media_type=CONTENT_TYPE_LATEST)
