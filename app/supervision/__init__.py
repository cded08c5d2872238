"""The embedded service: one API process and its workers, kept alive and ended together."""

from app.supervision.startup import StartError, claim_data_dir, listen
from app.supervision.supervisor import Supervisor

__all__ = ["StartError", "Supervisor", "claim_data_dir", "listen"]
