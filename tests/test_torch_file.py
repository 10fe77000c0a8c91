"""Files in PyTorch's older format: what they hold, and that no damaged or hostile one does harm."""

import importlib.util
import os
import tracemalloc
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from stages.backbones import inert_pickle, torch_file
from stages.running import errors
from tests import torch_files

ARRAYS: dict[str, np.ndarray] = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "bn.num_batches_tracked": np.array(7, np.int64),
}
VALUES = {"a": np.arange(6, dtype=np.float32)}
STORAGE = torch_files.storage("a", "FloatStorage", 6)
FLOATS = inert_pickle.Name("torch", "FloatStorage")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


def read(path, content):
    path.write_bytes(content)
    return torch_file.read(path)


def refusal(path, content):
    with pytest.raises(errors.BadInput) as caught:
        read(path, content)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def of_tensor(*parts):
    """A file with one tensor, of a storage, an offset, sizes and strides."""
    return torch_files.file(torch_files.dictionary({"x": torch_files.tensor(*parts)}), VALUES)


def test_each_tensor_has_its_values_shape_and_type(path):
    found = read(path, torch_files.of_arrays(ARRAYS))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_plain_dictionary_of_tensors_is_read(path):
    tensors = {"x": torch_files.tensor(STORAGE, 0, (6,), (1,))}
    np.testing.assert_array_equal(read(path, torch_files.file(tensors, VALUES))["x"], VALUES["a"])


def test_a_tensor_is_a_view_of_its_storage(path):
    found = read(path, of_tensor(STORAGE, 1, (2, 2), (1, 3)))["x"]
    np.testing.assert_array_equal(found, [[1, 4], [2, 5]])


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs torch")
def test_what_pytorch_saves_is_read(path):
    import torch

    tensors = {"turned": torch.arange(6.0).reshape(2, 3).T, "count": torch.tensor(3)}
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    found = torch_file.read(path)
    np.testing.assert_array_equal(found["turned"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(found["count"], 3)


def test_a_file_that_calls_a_function_is_bad_input(path, tmp_path):
    hostile = inert_pickle.Call(inert_pickle.Name("os", "system"), (f"touch {tmp_path}/called",))
    for tensors in (hostile, {"x": hostile}):
        assert refusal(path, torch_files.file(tensors, {})).endswith("received a call of 'os.system'")
    assert not (tmp_path / "called").exists()


def test_a_call_in_place_of_the_magic_number_is_not_made(path, tmp_path):
    hostile = inert_pickle.Call(inert_pickle.Name("os", "system"), (f"touch {tmp_path}/called",))
    assert "with a magic number of " in refusal(path, torch_files.pickled(hostile))
    assert not (tmp_path / "called").exists()


def test_a_class_in_place_of_a_tensor_is_bad_input(path):
    name = inert_pickle.Name("subprocess", "Popen")
    assert refusal(path, torch_files.file({"x": name}, {})).endswith("received 'subprocess.Popen'")


def test_a_storage_of_another_type_is_bad_input(path):
    half = torch_files.storage("a", "HalfStorage", 6)
    said = refusal(path, of_tensor(half, 0, (6,), (1,)))
    assert said == "expected torch.FloatStorage or torch.LongStorage, received 'torch.HalfStorage'"


def test_a_name_with_control_characters_is_told_in_one_line(path):
    name = inert_pickle.Name("\x1b[31m\r" + 1000 * "a", "b")
    assert len(refusal(path, torch_files.file(name, {}))) < 200


def test_a_deeply_nested_function_of_a_call_is_bad_input(path):
    function: Any = inert_pickle.Name("a", "b")
    for _ in range(200):
        function = inert_pickle.Call(function, ())
    assert "a value of type Call" in refusal(path, torch_files.file(function, {}))


def test_a_file_truncated_anywhere_is_bad_input(path):
    content = torch_files.of_arrays(ARRAYS | {"fc.weight": np.ones((50, 50), np.float32)})
    lengths = [*range(0, 1000, 11), *range(1000, len(content), 1000), len(content) - 1]
    for length in lengths:
        assert refusal(path, content[:length])


def test_bytes_behind_the_values_are_bad_input(path):
    assert refusal(path, torch_files.of_arrays(ARRAYS) + b"abc").endswith("received 3 more bytes")


@pytest.mark.parametrize(
    "tensor",
    [
        (STORAGE, 0, (7,), (1,)),
        (STORAGE, 1, (6,), (1,)),
        (STORAGE, 0, (2, 3), (4, 1)),
        (STORAGE, 1 << 62, (1,), (1,)),
        (STORAGE, 0, (2,), (1 << 62,)),
        (STORAGE, 0, (1 << 62,), (0,)),
        (STORAGE, 0, (4, 4), (0, 0)),
    ],
)
def test_a_tensor_that_leaves_its_storage_is_bad_input(path, tensor):
    assert refusal(path, of_tensor(*tensor)) == "expected a tensor inside of its storage of 6 values"


@pytest.mark.parametrize(
    "tensor",
    [
        (STORAGE, -1, (6,), (1,)),
        (STORAGE, 0, (-1,), (1,)),
        (STORAGE, 0, (2,), (-1,)),
        (STORAGE, True, (2,), (1,)),
        (STORAGE, 0, [6], (1,)),
        (STORAGE, 0, None, (1,)),
        (STORAGE, 0, (6,), (1, 1)),
        (STORAGE, 0, (0,), (1,)),
        (STORAGE, 0, 9 * (1,), 9 * (1,)),
        (None, 0, (6,), (1,)),
        (inert_pickle.Persistent("a"), 0, (6,), (1,)),
        (inert_pickle.Persistent(("storage", FLOATS, "a", "cpu", -6, None)), 0, (6,), (1,)),
        (inert_pickle.Persistent(("storage", FLOATS, "a", "cpu", 6, ("b", 0, 6))), 0, (6,), (1,)),
        (inert_pickle.Persistent(("storage", FLOATS, 5, "cpu", 6, None)), 0, (6,), (1,)),
        (inert_pickle.Persistent(("module", FLOATS, "a", "cpu", 6, None)), 0, (6,), (1,)),
        (inert_pickle.Persistent(("storage", [FLOATS], "a", "cpu", 6, None)), 0, (6,), (1,)),
    ],
)
def test_a_tensor_of_odd_parts_is_bad_input(path, tensor):
    assert refusal(path, of_tensor(*tensor)).startswith("expected ")


def test_huge_sizes_that_are_declared_allocate_nothing(path):
    huge = torch_files.storage("a", "FloatStorage", 1 << 40)
    tensors = {"x": torch_files.tensor(huge, 0, (1 << 40,), (1,))}
    content = torch_files.file(tensors, {"a": np.zeros(0, np.float32)})[:-8] + (1 << 40).to_bytes(8, "little")
    tracemalloc.start()
    assert "received 1,099,511,627,776 in a file with 0 bytes left" in refusal(path, content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_storage_of_two_lengths_is_bad_input(path):
    other = torch_files.storage("a", "FloatStorage", 5)
    tensors = {
        "x": torch_files.tensor(other, 0, (5,), (1,)),
        "y": torch_files.tensor(STORAGE, 0, (6,), (1,)),
    }
    said = refusal(path, torch_files.file(tensors, VALUES))
    assert said == "expected a storage of one type and size, received one with two"


@pytest.mark.parametrize("storages", [{}, {"b": VALUES["a"]}, VALUES | {"b": VALUES["a"]}])
def test_other_storages_than_the_tensors_have_are_bad_input(path, storages):
    tensors = {"x": torch_files.tensor(STORAGE, 0, (6,), (1,))}
    assert "expected 1 storages" in refusal(path, torch_files.file(tensors, storages))


@pytest.mark.parametrize("value", [None, 5, [1], "text", (1,)])
def test_something_else_than_tensors_is_bad_input(path, value):
    assert "expected a dictionary of tensors" in refusal(path, torch_files.file(value, {}))
    assert "expected a tensor" in refusal(path, torch_files.file({"x": value}, {}))


def test_values_in_the_other_byte_order_are_bad_input(path, monkeypatch):
    monkeypatch.setitem(torch_files.MACHINE, "little_endian", False)
    assert "little_endian" in refusal(path, torch_files.of_arrays(ARRAYS))


def test_the_newer_format_is_told_with_a_way_out(path):
    assert "_use_new_zipfile_serialization=False" in refusal(path, b"PK\x03\x04" + bytes(100))


@pytest.mark.parametrize("content", [b"", b"no weights" * 100, bytes(1000), b"\x89HDF\r\n\x1a\n"])
def test_another_file_is_bad_input(path, content):
    assert "expected a " in refusal(path, content)


def test_a_file_larger_than_any_of_weights_is_not_read(path):
    with path.open("wb") as file:
        os.truncate(file.fileno(), torch_file.LARGEST + 1)
    with pytest.raises(errors.BadInput, match="expected at most 1,073,741,824 bytes"):
        torch_file.read(path)


CONTENT = torch_files.of_arrays(ARRAYS)


@hypothesis.settings(max_examples=300, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(strategies.integers(0, len(CONTENT) - 1), strategies.integers(0, 255))
def test_any_changed_byte_gives_tensors_or_bad_input(path, position, byte):
    changed = bytearray(CONTENT)
    changed[position] = byte
    try:
        assert sum(array.size for array in read(path, bytes(changed)).values()) <= 25
    except errors.BadInput as error:
        assert "\n" not in str(error)
