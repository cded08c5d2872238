"""A download by the whole service, the worker of which is killed in the middle."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.mirror import Answer, mirror
from tests.support.service import processes_of, running, wait_for

pytestmark = pytest.mark.server


@pytest.mark.slow
def test_a_download_goes_on_after_its_worker_was_killed(tmp_path: Path) -> None:
    with mirror(bytes(20_000_000)) as served:
        served.usual = Answer(slow=True)
        settings = {"IMPASTO_WEIGHTS_MIRROR": served.url, "IMPASTO_LANES": "long"}
        with running(tmp_path / "data", **settings) as service:
            job = service.request("POST", "/v1/pull-weights", json={"network": "squeezenet1_1"})
            url = f"/v1/jobs/{job['id']}"

            def come() -> bool:
                progress = service.request("GET", url)["progress"]
                return progress is not None and progress["done"] > 100_000

            wait_for(come)
            (worker,) = [
                pid
                for pid, line in processes_of(service.data_dir).items()
                if "worker.runtime.local --lane long" in line
            ]
            os.kill(worker, signal.SIGKILL)
            wait_for(lambda: len(served.asked) == 2)
            assert served.asked[0] is None
            assert int(str(served.asked[1]).removeprefix("bytes=").removesuffix("-")) >= 100_000
            service.request("POST", f"{url}/cancel")
            ended = service.wait_for_job(job["id"], "cancelled")
            assert ended["attempt"] == 2
