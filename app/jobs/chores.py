"""What is done from time to time by one process of the service: a pass that takes long, in steps."""

from collections.abc import Callable, Iterator

from sqlalchemy import Engine, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.database.engine import now, read, write
from app.database.schema import is_outdated
from app.jobs.tables import chores

HOUR_SECONDS = 3600.0


class Chore:
    """Passes of one kind: whichever process asks first once the period is over makes the next one."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        a_pass: Callable[[], Iterator[int]],
        every_seconds: float = HOUR_SECONDS,
    ) -> None:
        """``a_pass`` gives the steps of a pass, each of which says how many things it changed."""
        self._engine = engine
        self._name = name
        self._a_pass = a_pass
        self._every_seconds = every_seconds
        self._steps: Iterator[int] | None = None

    def step(self) -> int:
        """The next step of a pass, if one is due or has begun here; returns how many things it changed."""
        if self._steps is None:
            if not is_due(self._engine, self._name, self._every_seconds):
                return 0
            self._steps = self._a_pass()
        elif is_outdated(self._engine):
            self._steps = None
            return 0
        try:
            return next(self._steps)
        except StopIteration:
            self._steps = None
            return 0
        except BaseException:
            # What is left of this pass is for the next one.
            self._steps = None
            raise


def is_due(engine: Engine, chore: str, every_seconds: float) -> bool:
    """Whether this process is to do a chore now: the one that asks first, each time the period is over.

    None of an older release than that which has migrated the database: it may delete what only a newer one
    knows to be needed.
    """
    # So long after this moment none has begun: the database's clock was set back since.
    past = or_(chores.c.begun_at <= now() - every_seconds, chores.c.begun_at > now() + every_seconds)
    mine = chores.c.name == chore
    with read(engine) as connection:
        # The common case takes no write lock.
        begun = connection.execute(select(past).where(mine)).scalar()
    if begun is False or is_outdated(engine):
        return False
    try:
        with write(engine) as connection:
            if begun is None:
                connection.execute(insert(chores).values(name=chore, begun_at=now()))
                return True
            return connection.execute(update(chores).where(mine, past).values(begun_at=now())).rowcount == 1
    except IntegrityError:
        return False  # another process was first
