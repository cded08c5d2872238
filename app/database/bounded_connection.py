"""Connections to PostgreSQL that wait no longer than they are told."""

from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed, with OperationalError, when the server does not answer in time.

    The server's own limit of a statement, and TCP's, do not help against one that is frozen: its kernel still
    acknowledges what is sent. ``answer_seconds`` is for each exchange with it; None: for ever.
    """

    answer_seconds: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """What an exchange with the server gives. Called by psycopg for each."""
        try:
            return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            # Nobody knows what comes next on it.
            self.pgconn.finish()
            if timeout is not None:
                raise
            raise psycopg.OperationalError(
                f"the server did not answer within {self.answer_seconds:g} s"
            ) from None
