"""Types of what the service answers, of the results and of the optional params of each kind."""

from impasto_client._generated.models import *  # noqa: F403
from impasto_client._generated.options import *  # noqa: F403
from impasto_client._generated.results import *  # noqa: F403
