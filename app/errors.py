"""Errors a person can act on. They cross the border between worker and HTTP service."""


class InputError(ValueError):
    """Something a person sent is wrong.

    ``field`` is the name of the param at fault (``style_weights``, ``layers``), ``detail`` one or two
    sentences that say what is wrong and what would be right.
    """

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class ComputationError(RuntimeError):
    """The arithmetic of a job failed for good (a loss that stays non-finite, say).

    ``detail`` says what happened and what to try.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
