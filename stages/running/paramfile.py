"""Read one section of params.yaml into the schema that declares it."""

from pathlib import Path
from typing import Annotated, TypeVar

import pydantic

from stages.running import documents, ellipsis, errors

LARGEST = 64 << 10  # bytes of a params file, for which the parser needs a second
SHOWN = 200  # characters of a value or of the names that were found, in an error
MOST_PROBLEMS = 20  # in an error


class Section(pydantic.BaseModel):
    """A section of params.yaml, or a mapping inside one. Unknown keys and loose types are errors."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Count = Annotated[int, pydantic.Field(ge=0)]
Size = Annotated[int, pydantic.Field(ge=1)]
Seed = Annotated[int, pydantic.Field(ge=0, lt=2**32)]  # the range that NumPy, TensorFlow and Keras all take

S = TypeVar("S", bound=pydantic.BaseModel)

SECTIONS = sorted(stage.stem for stage in Path(__file__).parents[1].glob("[a-z]*.py"))


def read(schema: type[S], section: str, path: Path = Path("params.yaml")) -> S:
    """Parse and check one section of a params file.

    Raises:
        errors.BadInput: the file or section is missing, the file has a section that belongs to no stage,
            or a key is missing, unknown, of the wrong type or out of range. One message names all problems
            with keys.
    """
    try:
        document = documents.parse_yaml(documents.read(path, LARGEST))
    except documents.Unfit as unfit:
        raise errors.BadInput(f"{path}: {unfit}; configs/ has complete params files") from unfit
    if section not in document:
        found = ellipsis.cut(", ".join(map(str, document)), SHOWN)
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
        found = error.errors(include_url=False)
        problems = [_problem(dict(each), schema, where) for each in found[:MOST_PROBLEMS]]
        more = [f"and {len(found) - len(problems):,} more"] if len(found) > len(problems) else []
        raise errors.BadInput("\n".join([*problems, *more])) from None


def _problem(error: dict, schema: type[pydantic.BaseModel], where: str) -> str:
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
    received = ellipsis.cut(repr(error["input"]), SHOWN)
    return f"{key}: {error['msg'].replace('Input should be', 'expected')}, received {received}"


def _section_at(schema: type[pydantic.BaseModel], location: tuple) -> type[pydantic.BaseModel]:
    """Return the nested schema that a pydantic error location points into."""
    for key in location:
        annotation = schema.model_fields[key].annotation
        if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
            schema = annotation
    return schema
