"""The summary shows every layer, inner ones too, and adds the parameters up."""

import keras
import pytest

from stages.classifier import summary
from stages.models import three_block_cnn


@pytest.fixture
def model():
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.BatchNormalization(name="norm"),
        ],
        name="network",
    )
    pixels = keras.Input((6, 6, 3), name="pixels")
    outputs = keras.layers.Dense(1000, name="dense")(keras.layers.Flatten(name="flat")(inner(pixels)))
    return keras.Model(pixels, outputs)


def test_each_layer_is_a_line_with_its_shape_and_parameters(model):
    lines = summary.table(model).splitlines()
    cells = [line.rsplit(maxsplit=1) for line in lines]
    assert [cell[-1] for cell in cells[2:-2]] == ["0", "network", "112", "16", "0", "65,000"]
    assert lines[0].split() == ["layer", "output", "shape", "parameters"]
    assert "conv (Conv2D)" in lines[4]
    assert "4 x 4 x 4" in lines[4]


def test_layers_of_an_inner_model_are_indented(model):
    lines = summary.table(model).splitlines()
    assert [line for line in lines if line.startswith("network")]
    assert [line.split()[0] for line in lines if line.startswith("  ")] == ["conv", "norm"]


def test_the_last_line_has_the_totals(model):
    assert summary.table(model).endswith("\n65,128 parameters, 65,120 of them trainable\n")


def test_the_columns_are_aligned(model):
    rows = summary.table(model).splitlines()[:-2]
    assert {len(row) for row in rows if row.strip() != "network"} == {len(rows[0])}


def test_the_default_network_has_the_published_totals():
    options = three_block_cnn.Options(filters=[32, 64, 128], dropout=0.5, batch_norm_momentum=0.9)
    table = summary.table(three_block_cnn.build((32, 32, 3), 3, options))
    assert "289,443 parameters, 288,995 of them trainable" in table
