"""What a section of params.yaml may hold, and what is said when it holds something else."""

from pathlib import Path
from typing import Literal

import pydantic
import pytest

from stages.running import errors, paramfile


class Optimizer(paramfile.Section):
    name: Literal["sgd", "adam"]
    learning_rate: float = pydantic.Field(gt=0)


class Params(paramfile.Section):
    epochs: int = pydantic.Field(ge=1)
    deterministic: bool
    patience: int | None
    optimizer: Optimizer


GOOD = """
train:
  epochs: 3
  deterministic: true
  patience: null
  optimizer:
    name: adam
    learning_rate: 1e-3
"""


@pytest.fixture
def read(tmp_path: Path):
    def read(text: str, section: str = "train") -> Params:
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return paramfile.read(Params, section, path)

    return read


def problems(read, text: str, section: str = "train") -> str:
    with pytest.raises(errors.BadInput) as caught:
        read(text, section)
    return str(caught.value)


def test_a_section_is_read_into_its_schema(read):
    adam = Optimizer(name="adam", learning_rate=0.001)
    assert read(GOOD) == Params(epochs=3, deterministic=True, patience=None, optimizer=adam)


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "0.001", "1.0e-3"])
def test_an_exponent_without_a_point_is_a_number(read, text):
    assert read(GOOD.replace("1e-3", text)).optimizer.learning_rate == 0.001


def test_a_whole_number_fits_where_a_fraction_is_expected(read):
    assert read(GOOD.replace("1e-3", "1")).optimizer.learning_rate == 1.0


def test_other_sections_are_not_looked_at(read):
    assert read(GOOD + "records: {nonsense: true}\n").epochs == 3


def test_a_section_of_no_stage_is_refused_with_the_nearest_stage(read):
    assert "unknown section 'recods'" in problems(read, GOOD + "recods: {}\n")
    assert "Did you mean 'records'?" in problems(read, GOOD + "recods: {}\n")


def test_a_section_cannot_be_changed(read):
    params = read(GOOD)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        params.epochs = 4


def test_an_unknown_key_is_refused_with_the_near_one(read):
    message = problems(read, GOOD + "  epoch: 4\n")
    assert "train: unknown key 'epoch'" in message
    assert "Did you mean 'epochs'?" in message
    assert "expected one of: deterministic, epochs, optimizer, patience." in message


def test_an_unknown_nested_key_is_compared_within_its_section(read):
    message = problems(read, GOOD + "    learnin_rate: 4\n")
    assert "unknown key 'learnin_rate'; expected one of: learning_rate, name." in message
    assert "Did you mean 'learning_rate'?" in message


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("epochs: 3", "", "train.epochs is missing"),
        ("name: adam", "", "train.optimizer.name is missing"),
        ("epochs: 3", "epochs: 0", "train.epochs: expected greater than or equal to 1, received 0"),
        ("epochs: 3", "epochs: '3'", "train.epochs: expected a valid integer, received '3'"),
        ("epochs: 3", "epochs: 3.0", "train.epochs: expected a valid integer, received 3.0"),
        ("epochs: 3", "epochs: true", "train.epochs: expected a valid integer, received True"),
        ("epochs: 3", "epochs: null", "train.epochs: expected a valid integer, received None"),
        (": true", ": yes", "train.deterministic: expected a valid boolean, received 'yes'"),
        ("adam", "adan", "train.optimizer.name: expected 'sgd' or 'adam', received 'adan'"),
        ("1e-3", "-1e-3", "train.optimizer.learning_rate: expected greater than 0, received -0.001"),
        ("1e-3", ".nan", "train.optimizer.learning_rate: expected a finite number, received nan"),
        ("1e-3", "fast", "train.optimizer.learning_rate: expected a valid number, received 'fast'"),
    ],
)
def test_a_missing_or_wrong_value_is_named_with_its_problem(read, before, after, said):
    assert said in problems(read, GOOD.replace(before, after))


def test_every_problem_is_named_in_one_message(read):
    text = GOOD.replace("epochs: 3", "epochs: -1").replace("adam", "adan").replace("  patience: null\n", "")
    message = problems(read, text)
    assert [line.split(": ", 1)[1].split(":")[0] for line in message.splitlines()] == [
        "train.epochs",
        "train.patience is missing",
        "train.optimizer.name",
    ]


@pytest.mark.parametrize("value", ["", " [1]", " fast"])
def test_a_section_that_is_no_mapping_is_refused(read, value):
    message = problems(read, f"train:{value}\n")
    assert "params.yaml: train" in message
    assert "received" in message


def test_a_missing_section_is_named_with_those_found(read):
    assert problems(read, GOOD + "records: {}\n", "trian").endswith(
        "has no section 'trian'; found: train, records"
    )


def test_a_file_without_named_sections_is_refused(read):
    assert "has no section 'train'" in problems(read, "1: one\n")


@pytest.mark.parametrize(
    "text",
    ["", "- train\n", "train: [", "train: {epochs: 1, epochs: 2}", "train:\n\tepochs: 1\n"],
    ids=repr,
)
def test_a_file_that_is_no_mapping_in_yaml_is_refused(read, text):
    assert "params.yaml: expected a YAML mapping, received " in problems(read, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        errors.BadInput, match=r"absent\.yaml: expected a plain file, received nothing; configs"
    ):
        paramfile.read(Params, "train", tmp_path / "absent.yaml")


def test_a_schemas_own_refusal_is_quoted_without_decoration():
    class Even(paramfile.Section):
        size: int

        @pydantic.field_validator("size")
        @classmethod
        def _even(cls, size: int) -> int:
            if size % 2:
                raise ValueError(f"expected an even size, received {size}")
            return size

    with pytest.raises(errors.BadInput, match=r"^here\.size: expected an even size, received 3$"):
        paramfile.check(Even, {"size": 3}, "here")
