"""Predict sees the pixels that the subset stage wrote for the training."""

import numpy as np
import pytest

from stages.decoding import picture
from stages.serving import forms
from stages.sources import index
from stages.splits import carve, sized
from tests import odd_pictures, pictures

GREEN = (0, 128, 0)
SOUND = {odd.name: odd.encoded for odd in odd_pictures.SOUND if "text" not in odd.name}


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    """The odd pictures as the dataset folder indexes them."""
    folder = tmp_path_factory.mktemp("odd")
    for name, encoded in SOUND.items():
        pictures.put(folder / "images/odd" / name, encoded)
    pictures.write(folder, "images/other/plain.png")
    pictures.collected("folder", folder / "images", folder / "raw", max_pixels=10**6)
    _, splits = index.read(folder / "raw")
    return splits["train"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", ["squash", "crop", "pad"])
def test_pixels_are_those_of_the_subset_stage(indexed, policy, channels):
    images, labels = indexed
    everything = carve.Split(images, labels, np.arange(len(labels)))
    of_subset = sized.Form([9, 14], policy, picture.Colours(channels, GREEN))
    form = forms.Form((9, 14, channels), policy, GREEN, 10**6)
    compared = 0
    for path, pixels in zip(images.facts["path"], sized.images(everything, of_subset), strict=True):
        if path.startswith("odd/"):
            np.testing.assert_array_equal(form.pixels(SOUND[path.removeprefix("odd/")]), pixels, path)
            compared += 1
    assert compared == len(SOUND)


def test_a_picture_beyond_the_limit_is_refused():
    form = forms.Form((9, 14, 3), "pad", GREEN, max_pixels=119)
    with pytest.raises(picture.Fault) as caught:
        form.pixels(pictures.png(0))
    assert caught.value.kind == "too_large"
