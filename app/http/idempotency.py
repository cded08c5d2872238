"""The header Idempotency-Key, of every request that makes or changes something."""

from typing import Annotated

from fastapi import Header

from app.database.keys import MAX_KEY

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        # What a header carries to the other end as it is.
        pattern=f"^[!-~]([ -~]{{0,{MAX_KEY - 2}}}[!-~])?$",
        description="The same request again with the same key is answered as before, and makes nothing. "
        "A key is free again once what it made is deleted.",
    ),
]
