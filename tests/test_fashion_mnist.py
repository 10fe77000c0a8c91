"""Fashion-MNIST: what is read from idx files."""

import numpy as np
import pytest

from stages.datasets import fashion_mnist
from stages.running import errors


def test_both_splits_are_read_in_their_published_order(raw_fashion_mnist):
    names, splits = fashion_mnist.read(raw_fashion_mnist)
    assert names == fashion_mnist.CLASSES
    for split, prefix, count in (("train", "train", 30), ("test", "t10k", 10)):
        images, labels = splits[split]
        assert (images.dtype, images.shape, labels.dtype) == (np.uint8, (count, 28, 28, 1), np.int64)
        pixels = (raw_fashion_mnist / f"{prefix}-images-idx3-ubyte").read_bytes()[16:]
        assert images.tobytes() == pixels
        assert bytes(labels.tolist()) == (raw_fashion_mnist / f"{prefix}-labels-idx1-ubyte").read_bytes()[8:]


def test_only_the_published_files_are_unpacked():
    others = [(name, lambda: pytest.fail("opened")) for name in ("copyright", "train-images")]
    members = [(name, name.encode) for name in fashion_mnist.FILES]
    found = dict(fashion_mnist.unpack([*members, *others]))
    assert found == {name: name.encode() for name in fashion_mnist.FILES}


@pytest.mark.parametrize("kept", [0, 3, 5, 15, 16, 100])
def test_a_truncated_file_is_refused(raw_fashion_mnist, kept):
    path = raw_fashion_mnist / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(errors.BadInput, match=f"expected an idx file of 3 dimensions, received {kept} bytes"):
        fashion_mnist.read(raw_fashion_mnist)


def test_a_file_of_other_dimensions_is_refused(raw_fashion_mnist):
    labels = (raw_fashion_mnist / "train-labels-idx1-ubyte").read_bytes()
    (raw_fashion_mnist / "train-images-idx3-ubyte").write_bytes(labels)
    with pytest.raises(errors.BadInput, match="of 3 dimensions, received 38 bytes that begin with 00000801"):
        fashion_mnist.read(raw_fashion_mnist)


def test_bytes_after_the_last_value_are_refused(raw_fashion_mnist):
    path = raw_fashion_mnist / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(errors.BadInput, match="expected an idx file of 1 dimensions"):
        fashion_mnist.read(raw_fashion_mnist)
