"""A record of encoded images: a tf.train.Example with

images     a list of n encoded images
labels     bytes, little-endian int32 [n]
places     bytes, little-endian int64 [n]: each image's place among all images of the split
positions  bytes, little-endian int64 [n]: each image's place in its published split
sizes      bytes, little-endian int32 [n, 2]: height and width
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

TYPES = {"labels": tf.int32, "places": tf.int64, "positions": tf.int64, "sizes": tf.int32}


class Images(NamedTuple):
    """The images of a record."""

    images: tf.Tensor  # encoded, string [n]
    labels: tf.Tensor  # int32 [n]
    places: tf.Tensor  # int64 [n]
    positions: tf.Tensor  # int64 [n]
    sizes: tf.Tensor  # int32 [n, 2]


def serialize(
    images: Sequence[bytes], labels: np.ndarray, places: np.ndarray, positions: np.ndarray, sizes: np.ndarray
) -> bytes:
    """Serialize the encoded images of one record; equal arguments give equal bytes.

    Args:
        images: n encoded images.
        labels: Any integers [n].
        places: Any integers [n].
        positions: Any integers [n].
        sizes: Any integers [n, 2].
    """
    arrays = {"labels": labels, "places": places, "positions": positions, "sizes": sizes}
    lists = {"images": list(images)}
    for name, values in arrays.items():
        lists[name] = [values.astype(np.dtype(TYPES[name].as_numpy_dtype).newbyteorder("<")).tobytes()]
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values)) for name, values in lists.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def parse(record: tf.Tensor) -> Images:
    """Parse a record in a graph, where one of another format is an InvalidArgumentError."""
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in TYPES}
    several = tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)
    columns = tf.io.parse_single_example(record, {**spec, "images": several})
    values = {
        name: tf.io.decode_raw(columns[name], dtype, little_endian=True) for name, dtype in TYPES.items()
    }
    values["sizes"] = tf.reshape(values["sizes"], [-1, 2])
    lengths = tf.stack([tf.shape(each)[0] for each in values.values()])
    fits = tf.reduce_all(lengths == tf.shape(columns["images"])[0])
    with tf.control_dependencies([tf.debugging.Assert(fits, ["not of this format"])]):
        return Images(tf.identity(columns["images"]), **values)
