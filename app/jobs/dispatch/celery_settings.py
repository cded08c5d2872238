"""What publishers and workers of Celery messages share: names, queues and the connection to Redis.

Each setting avoids a failure that was observed without it: docs/architecture.md.
"""

import socket
from typing import Any

TASK = "impasto.run"
KEY_PREFIX = "impasto:"
CHANGES_CHANNEL = f"{KEY_PREFIX}changes"
# A job has no time limit, and its token is acknowledged when it ends: after this long it is delivered again.
VISIBILITY_SECONDS = 30 * 24 * 3600
# A connection on which nothing comes is probed after 10 s, every 5 s, and given up after 3 probes, as those
# to PostgreSQL are: the kernel by itself finds after two hours that a Redis has vanished with its machine.
KEEPALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}


def queue_of(lane: str) -> str:
    """The queue of a lane."""
    return f"lane.{lane}"


def configuration(redis_url: str) -> dict[str, Any]:
    """The configuration of a Celery app that publishes or runs jobs."""
    return {
        "broker_url": redis_url,
        "broker_transport_options": {
            "global_keyprefix": KEY_PREFIX,
            "visibility_timeout": VISIBILITY_SECONDS,
            # One queue a lane: the database orders the jobs.
            "priority_steps": [0],
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "socket_keepalive_options": KEEPALIVE,
            "health_check_interval": 25,
        },
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_acquire_timeout": 10,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "result_backend": None,
        "task_acks_late": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        # Its parent sends another one.
        "task_reject_on_worker_lost": False,
        "task_default_queue": queue_of("long"),
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": 1,
        # A forked child could not use CUDA that its parent had touched.
        "worker_pool_start_method": "spawn",
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_enable_soft_shutdown_on_idle": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_proc_alive_timeout": 120.0,
    }
