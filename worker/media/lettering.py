"""Text in pictures: that of the service."""

from app.media.lettering import font, line_height, shorten, width_of, wrap

__all__ = ["font", "line_height", "shorten", "width_of", "wrap"]
