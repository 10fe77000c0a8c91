"""TensorFlow's way from a picture to an image ends at the pixels that training saw."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_image

from stages.decoding import picture, resizing
from stages.inputs import manifest
from stages.serving import decoded
from tests import odd_pictures

PHOTOGRAPH = load_sample_image("flower.jpg")
FADING = np.tile(np.linspace(0, 255, 300).astype(np.uint8), (200, 1))[..., None]
PART = PHOTOGRAPH[:200, :300]
RGBA = Image.fromarray(np.concatenate([PART, FADING], axis=-1))
GREY_ALPHA = Image.fromarray(np.concatenate([PART[..., :1], FADING], axis=-1))
FILES = {
    "photograph.png": odd_pictures.encode(Image.fromarray(PHOTOGRAPH)),
    "photograph.jpg": odd_pictures.encode(Image.fromarray(PHOTOGRAPH), "JPEG", subsampling="4:4:4"),
    "progressive.jpg": odd_pictures.encode(Image.fromarray(PHOTOGRAPH), "JPEG", progressive=True),
    "grey.jpg": odd_pictures.encode(Image.fromarray(PHOTOGRAPH).convert("L"), "JPEG"),
    "photograph.webp": odd_pictures.encode(Image.fromarray(PART), "WEBP"),
    "photograph.bmp": odd_pictures.encode(Image.fromarray(PART), "BMP"),
    "photograph.gif": odd_pictures.encode(Image.fromarray(PART), "GIF"),
    "frames.gif": odd_pictures.animation("GIF"),
    "palette.png": odd_pictures.encode(Image.fromarray(PART).quantize(32)),
    "fading.png": odd_pictures.encode(RGBA),
    "fading.webp": odd_pictures.encode(RGBA, "WEBP", lossless=True),
    "grey_fading.png": odd_pictures.encode(GREY_ALPHA),
    "noise.png": odd_pictures.encode(Image.fromarray(odd_pictures.NOISE)),
    "small.png": odd_pictures.encode(Image.fromarray(odd_pictures.NOISE[:3, :2])),
}
BACKGROUND, COLOUR = "#20a0ff", (0x20, 0xA0, 0xFF)


@pytest.mark.parametrize("policy", ["squash", "crop", "pad"])
@pytest.mark.parametrize("shape", [(32, 32, 3), (90, 120, 3), (28, 28, 1), (40, 30, 4), (9, 7, 2)])
def test_pixels_are_those_of_training_to_a_level(policy, shape):
    form = manifest.Form(background=BACKGROUND, resize=policy)
    made = decoded.images(tf.constant(list(FILES.values())), shape, form).numpy()
    assert made.dtype == np.uint8 and made.shape == (len(FILES), *shape)
    for name, image in zip(FILES, made, strict=True):
        pixels = picture.decode(FILES[name], picture.Colours(shape[2], COLOUR))
        expected = resizing.resize(pixels, shape[:2], policy, COLOUR)
        assert np.abs(image.astype(int) - expected).max() <= 1, name


def test_no_picture_gives_no_image():
    form = manifest.Form(background=BACKGROUND, resize="squash")
    assert decoded.images(tf.constant([], tf.string), (4, 5, 3), form).shape == (0, 4, 5, 3)
