"""The effect of a convolution and a pooling on an image, computed and drawn step by step."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from scipy import signal

from stages.figures import canvas

FILTERS = {
    "Vertical lines": np.array([[-1, 2, -1]] * 3),
    "Horizontal lines": np.array([[-1] * 3, [2] * 3, [-1] * 3]),
}
SMALLEST = 4  # pixels; a 3x3 filter leaves two of the four, and pooling leaves one


def figure(image: np.ndarray, name: str) -> Figure:
    """Draw an image, a filter for vertical lines and one for horizontal lines, and the image after each.

    The steps are those of a network's first layers: convolution 3x3 without padding, ReLU,
    max-pooling 2x2. An image with a side of less than 4 pixels leaves nothing to show; a sentence says so.

    Args:
        image: uint8 [H, W, C].
        name: The name of the image's class.
    """
    pixels = grey(image)
    if min(pixels.shape) < SMALLEST:
        return canvas.note(
            f"Images of {_size(pixels)} pixels are too small for a 3 x 3 convolution and a 2 x 2 pooling."
        )
    drawn = Figure(figsize=(11, 5.6), layout="constrained")
    drawn.suptitle("What a convolution and a pooling do to a test image")
    grid = drawn.add_gridspec(len(FILTERS), 4, width_ratios=[1.3, 0.7, 1, 1])
    whole = drawn.add_subplot(grid[:, 0])
    (shown,) = canvas.names([name], 30)
    _draw(whole, pixels, f"{shown}, in grey\n{_size(pixels)}", 255)
    for row, (title, kernel) in enumerate(FILTERS.items()):
        found = convolve(pixels, kernel)
        pooled = max_pool(found)
        _draw_kernel(drawn.add_subplot(grid[row, 1]), kernel, f"{title}\n{_size(kernel)}")
        _draw(drawn.add_subplot(grid[row, 2]), found, f"Convolution, ReLU\n{_size(found)}", found.max())
        _draw(drawn.add_subplot(grid[row, 3]), pooled, f"Max-pooling 2 x 2\n{_size(pooled)}", found.max())
    return drawn


def grey(image: np.ndarray) -> np.ndarray:
    """Make an image grey, uint8 [H, W, C] to float [H, W]: luma (ITU-R 601) if C is 3, else the mean."""
    if image.shape[-1] == 3:
        return np.asarray(Image.fromarray(image).convert("L"), float)
    return image.mean(axis=-1)


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return ReLU of the cross-correlation, which networks call convolution, without padding.

    Args:
        image: [H, W].
        kernel: [h, w].

    Returns:
        [H - h + 1, W - w + 1], no value below 0.
    """
    return np.maximum(signal.correlate2d(image, kernel, mode="valid"), 0)


def max_pool(image: np.ndarray) -> np.ndarray:
    """Return the maximum of each 2x2 pixels: [H, W] becomes [H // 2, W // 2]."""
    height, width = (side // 2 for side in image.shape)
    return image[: 2 * height, : 2 * width].reshape(height, 2, width, 2).max(axis=(1, 3))


def _draw(axes: Axes, pixels: np.ndarray, title: str, white: float) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=white or 1)  # all black if there is no line
    axes.set_title(title, fontsize=10)
    axes.set(xticks=[], yticks=[])


def _draw_kernel(axes: Axes, kernel: np.ndarray, title: str) -> None:
    limit = np.abs(kernel).max()
    axes.imshow(kernel, cmap="RdBu", vmin=-2 * limit, vmax=2 * limit)  # pale: the numbers are readable
    for (row, column), weight in np.ndenumerate(kernel):
        axes.text(column, row, f"{weight:d}", ha="center", va="center", fontsize=12)
    axes.set_title(title, fontsize=10)
    axes.set(xticks=[], yticks=[])


def _size(pixels: np.ndarray) -> str:
    return " x ".join(map(str, pixels.shape))
