"""Pictures inside a page: data URIs, so that the page needs no other file."""

import base64
import io

import numpy as np

from jobs.visualization import images


def png(image: np.ndarray) -> str:
    """A PNG of a feature image [height, width, depth], one of its pixels a pixel.

    See `images.displayable` for what becomes of channels and values.
    """
    from PIL import Image

    values = np.uint8(np.round(255 * images.displayable(image)))
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, 'PNG')
    return data_uri('image/png', buffer.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """The content as an address that holds it."""
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'
