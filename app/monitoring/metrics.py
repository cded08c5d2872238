"""What Prometheus may ask for: jobs, queues, workers, streams, requests."""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.http.services import Here
from app.jobs import repository
from app.jobs.waiting import oldest_waiting
from app.workers import repository as workers

router = APIRouter(tags=["health"])

# Of this process; the others are read from the database, which all processes share.
PROCESS = CollectorRegistry()
OPEN_STREAMS = Gauge("impasto_event_streams", "Open event streams of this process.", registry=PROCESS)

SEEN_SECONDS = 20.0


class DatabaseCollector(Collector):
    """Figures that are the same whichever API process is asked."""

    def __init__(self, here: Here) -> None:
        self._here = here

    def collect(self) -> Iterable[Metric]:
        """Read the figures."""
        yield from self._jobs()
        yield from self._queues()
        living = GaugeMetricFamily("impasto_workers", "Living workers.", labels=["lane", "device"])
        for worker in workers.list_alive(self._here.engine, SEEN_SECONDS):
            for lane in worker.lanes:
                living.add_metric([lane, worker.device], 1)
        yield living

    def _jobs(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("impasto_jobs", "Jobs there are.", labels=["kind", "lane", "state"])
        for row in repository.count_jobs(self._here.engine):
            jobs.add_metric([row["kind"], row["lane"], row["state"]], row["count"])
        yield jobs

    def _queues(self) -> Iterator[Metric]:
        oldest = GaugeMetricFamily(
            "impasto_oldest_queued_seconds", "Age of the job that waits longest.", labels=["lane"]
        )
        for lane, seconds in oldest_waiting(self._here.engine).items():
            oldest.add_metric([lane], seconds)
        yield oldest


@router.get("/metrics", response_class=Response)
def metrics(here: Here) -> Response:
    """Figures for Prometheus."""
    shared = CollectorRegistry(auto_describe=False)
    shared.register(DatabaseCollector(here))
    return Response(generate_latest(shared) + generate_latest(PROCESS), media_type=CONTENT_TYPE_LATEST)
