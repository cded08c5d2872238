"""The networks. Knows nothing of jobs, HTTP or Celery."""
