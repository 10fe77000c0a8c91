"""Arrange many small pictures in one."""

import numpy as np

LEAST = 32  # pixels; smaller pictures are enlarged, so that the gaps stay thin


def mosaic(pictures: np.ndarray, columns: int, gap: float = np.nan) -> np.ndarray:
    """Arrange pictures in rows, with a thin gap between them.

    The rest of a last row that is not full has the value of the gap, too.

    Args:
        pictures: [n, h, w] or [n, h, w, c].
        columns: The number of pictures side by side.
        gap: The value of the gap's pixels; NaN is only for pictures of floats.

    Returns:
        [height, width] or [height, width, c], of the pictures' dtype.
    """
    enlarged = -(-LEAST // max(pictures.shape[1:3]))
    pictures = pictures.repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    count, height, width = pictures.shape[:3]
    space = max(height, width) // 16
    rows = -(-count // columns)
    size = (rows * (height + space) - space, columns * (width + space) - space)
    whole = np.full((*size, *pictures.shape[3:]), gap, pictures.dtype)
    for index, picture in enumerate(pictures):
        top, left = (height + space) * (index // columns), (width + space) * (index % columns)
        whole[top : top + height, left : left + width] = picture
    return whole
