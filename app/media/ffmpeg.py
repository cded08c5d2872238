"""Still pictures as FFmpeg decodes them: 16 bits a channel, and WebP in less memory than Pillow takes."""

from typing import cast

import av
from av.video.codeccontext import VideoCodecContext

from app.media.headers import Header

# FFmpeg counts sides that it has rounded up.
_ROUNDED = 128


def decode_still(data: bytes, header: Header) -> av.VideoFrame:
    """The one picture of a PNG, TIFF or WebP file, in the pixel format that it is stored in.

    Raises ValueError, or FFmpeg's error, if the data are damaged.
    """
    decoder = cast(VideoCodecContext, av.CodecContext.create(header.format.lower(), "r"))
    # Whatever else in the file may say how large it is.
    most = (header.width + _ROUNDED) * (header.height + _ROUNDED)
    decoder.options = {"max_pixels": str(most)}
    decoder.thread_count = 1
    frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    if len(frames) != 1:
        raise ValueError("the file has no picture")
    if (frames[0].width, frames[0].height) != (header.width, header.height):
        raise ValueError(f"the pixels are {frames[0].width}×{frames[0].height}")
    return frames[0]
