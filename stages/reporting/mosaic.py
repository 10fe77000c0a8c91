"""Many small pictures in one."""

import numpy as np

LEAST = 32  # pixels; smaller pictures are enlarged, so that the gaps stay thin


def mosaic(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures in rows, a thin gap of NaN between them and NaN where the last row ends early.

    Args:
        pictures: float [n, h, w] or [n, h, w, c].
        columns: Pictures side by side.

    Returns:
        float [height, width] or [height, width, c].
    """
    enlarged = -(-LEAST // max(pictures.shape[1:3]))
    pictures = pictures.repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    count, height, width = pictures.shape[:3]
    gap = max(height, width) // 16
    rows = -(-count // columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap)
    whole = np.full((*size, *pictures.shape[3:]), np.nan, pictures.dtype)
    for index, picture in enumerate(pictures):
        top, left = (height + gap) * (index // columns), (width + gap) * (index % columns)
        whole[top : top + height, left : left + width] = picture
    return whole
