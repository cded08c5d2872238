"""The processes of a service: started, watched, restarted and stopped together."""

from app.supervision.startup import StartError, claim_data_dir, listen
from app.supervision.supervisor import Supervisor

__all__ = ["StartError", "Supervisor", "claim_data_dir", "listen"]
