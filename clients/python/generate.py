"""Writes the part of the client that follows from the service: its kinds, params and answers.

Usage: python clients/python/generate.py. Needs the service's own environment, with ruff. A test says when
it is due.
"""

import tempfile
from pathlib import Path

from app.main import create_app
from app.settings import Settings
from generator.answers import models, results
from generator.calls import kind_table, methods, options
from generator.layout import formatted
from generator.schemas import kinds_of

TARGET = Path(__file__).parent / "src" / "impasto_client" / "_generated"


def generate() -> dict[str, str]:
    """The text of each generated file, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        api = create_app(Settings(data_dir=Path(folder))).openapi()
    kinds = kinds_of(api)
    texts = {
        "models.py": models(api),
        "results.py": results(api, kinds),
        "options.py": options(kinds),
        "kinds.py": kind_table(kinds),
        "methods.py": methods(kinds, "", "Job"),
        "async_methods.py": methods(kinds, "async ", "AsyncJob"),
    }
    return {name: formatted(text, TARGET) for name, text in texts.items()}


if __name__ == "__main__":
    for file, content in generate().items():
        (TARGET / file).write_text(content)
