"""What can be read from a picture or clip without decoding its pixels; torch-free."""

from app.media.errors import PictureError
from app.media.inspect import PictureInfo, inspect_picture, inspect_upload
from app.media.recipe_text import read_recipe

__all__ = ["PictureError", "PictureInfo", "inspect_picture", "inspect_upload", "read_recipe"]
