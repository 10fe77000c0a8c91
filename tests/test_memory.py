"""A training that cannot fit into the memory is refused before it starts."""

import keras
import pytest

from stages.classifier import architecture
from stages.running import errors
from stages.training import memory
from tests import tiny, training


@pytest.fixture
def network():
    inputs = keras.Input((4, 4, 3))
    inner = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3)], name="inner")
    return keras.Model(inputs, keras.layers.Dense(5, dtype="float16")(keras.layers.Flatten()(inner(inputs))))


@pytest.fixture
def system(tmp_path, monkeypatch):
    def of(mib, limit="max"):
        (tmp_path / "meminfo").write_text(f"MemFree:  1 kB\nMemTotal:  {1024 * mib} kB\n")
        (tmp_path / "limit").write_text(f"{limit}\n")
        monkeypatch.setattr(memory, "SYSTEM", str(tmp_path / "meminfo"))
        monkeypatch.setattr(memory, "LIMITS", (str(tmp_path / "limit"), str(tmp_path / "none")))

    return of


def test_the_outputs_of_all_layers_count_those_of_inner_models_too(network):
    images, convolution, flat, dense = 48 * 4, 8 * 4, 8 * 4, 5 * 2
    assert memory.bytes_per_image(network) == images + convolution + flat + dense


@pytest.mark.parametrize(
    ("mib", "limit", "expected"),
    [(8, "max", 8 << 20), (8, 1 << 20, 1 << 20), (8, 1 << 60, 8 << 20), (8, "", 8 << 20)],
)
def test_the_memory_is_that_of_the_system_or_of_its_container(system, mib, limit, expected):
    system(mib, limit)
    assert memory.available() == expected


def test_a_system_that_does_not_say_its_memory_is_believed(network, monkeypatch):
    monkeypatch.setattr(memory, "SYSTEM", "/nowhere")
    monkeypatch.setattr(memory, "LIMITS", ())
    assert memory.available() is None
    memory.require(network, 10**12)


def test_the_stage_says_what_it_needs_before_it_trains(tmp_path, system):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "subset"))
    system(mib=0)
    with pytest.raises(errors.BadInput, match=r"a batch of 8 images needs .* but there are 0.0 GiB; lower"):
        training.run(records, tmp_path / "out")
    system(mib=100)
    training.run(records, tmp_path / "out", epochs=1)


@pytest.mark.parametrize("name", training.OPTIONS)
def test_the_bytes_of_every_architecture_are_counted(name):
    network = architecture.Architecture({"name": name, **training.OPTIONS[name]}).build([32, 32, 3], 2)
    assert memory.bytes_per_image(network) > 4 * 32 * 32 * 3
