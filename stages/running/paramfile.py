"""Read one section of params.yaml into the schema that declares it."""

from pathlib import Path
from typing import Annotated, TypeVar

import pydantic
from ruamel.yaml import YAML, YAMLError  # the parser DVC uses: in YAML 1.2 `1e-3` is a number

from stages.running import errors


class Section(pydantic.BaseModel):
    """A section of params.yaml, or a mapping inside one. Unknown keys and loose types are errors."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Count = Annotated[int, pydantic.Field(ge=0)]
Size = Annotated[int, pydantic.Field(ge=1)]
Seed = Annotated[int, pydantic.Field(ge=0, lt=2**32)]  # the range that NumPy, TensorFlow and Keras all take

S = TypeVar("S", bound=Section)

SECTIONS = sorted(stage.stem for stage in Path(__file__).parents[1].glob("[a-z]*.py"))


def read(schema: type[S], section: str, path: Path = Path("params.yaml")) -> S:
    """Parse and check one section of a params file.

    Raises:
        errors.BadInput: the file or section is missing, the file has a section that belongs to no stage,
            or a key is missing, unknown, of the wrong type or out of range. One message names all problems
            with keys.
    """
    try:
        document = YAML(typ="safe").load(path)
    except FileNotFoundError as error:
        raise errors.BadInput(f"expected a params file at {path}, found none") from error
    except YAMLError as error:
        raise errors.BadInput(f"{path} is not valid YAML: {error}") from error
    if not isinstance(document, dict) or section not in document:
        found = ", ".join(map(str, document)) if isinstance(document, dict) else type(document).__name__
        raise errors.BadInput(f"{path} has no section {section!r}; found: {found}")
    for name in document:
        if name not in SECTIONS:
            raise errors.BadInput(f"{path}: {errors.unknown('section', name, SECTIONS)}")
    return check(schema, document[section], f"{path}: {section}")


def check(schema: type[S], values: object, where: str) -> S:
    """Check parsed values against a schema; `where` is put before the key of each problem.

    Raises:
        errors.BadInput: see `read`.
    """
    try:
        return schema.model_validate(values)
    except pydantic.ValidationError as error:
        problems = [_problem(dict(each), schema, where) for each in error.errors()]
        raise errors.BadInput("\n".join(problems)) from None


def _problem(error: dict, schema: type[Section], where: str) -> str:
    location = error["loc"]
    key = ".".join([where, *map(str, location)])
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        known = sorted(_section_at(schema, location[:-1]).model_fields)
        section = ".".join([where, *map(str, location[:-1])])
        return f"{section}: {errors.unknown('key', location[-1], known)}"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}"
    return f"{key}: {error['msg'].replace('Input should be', 'expected')}, received {error['input']!r}"


def _section_at(schema: type[Section], location: tuple) -> type[Section]:
    """Return the nested schema that a pydantic error location points into."""
    for key in location:
        annotation = schema.model_fields[key].annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            schema = annotation
    return schema
