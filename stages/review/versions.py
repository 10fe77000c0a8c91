"""Compare the versions that made the committed results with those that the requirements pin.

Another version of these packages can train another model from the same code and parameters, which dvc.lock
does not show. Only versions are compared: results of any processor fit.
"""

from collections.abc import Iterator
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from stages.review import results, revision

REQUIREMENTS = "requirements.txt"
PACKAGES = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "keras": ("keras",), "numpy": ("numpy",)}
REMEDY = "dvc repro --force --single-item train && dvc repro"


class Difference(NamedTuple):
    """A package that trained the model in another version than the one that is pinned."""

    package: str
    pinned: str
    trained: str  # or what else stands there, or "no version"

    def __str__(self) -> str:
        return f"{self.package} {self.trained} instead of {self.pinned}"


def differences(files: revision.Revision) -> list[Difference]:
    """Return the packages that are pinned in another version than the one that trained the model.

    A package that is not pinned is not compared, and nothing is if the revision has no environment.json. Of
    pins for several platforms, any one is enough.

    Raises:
        errors.BadInput: a file is no text, or no JSON object.
    """
    trained = files.json(results.ENVIRONMENT)
    content = files.content(REQUIREMENTS)
    if trained is None or content is None:
        return []
    try:
        pins = list(_pins(content.decode()))
    except UnicodeDecodeError as error:
        raise files.fault(REQUIREMENTS, "text in UTF-8", str(error)) from error
    found = []
    for package, names in PACKAGES.items():
        pinned = list(dict.fromkeys(version for name, version in pins if name in names))
        there = trained.get(package)
        if pinned and not any(_is_same(there, version) for version in pinned):
            received = str(there)[:40] if package in trained else "no version"
            found.append(Difference(package, " or ".join(pinned), received))
    return found


def _pins(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of the packages of which exactly one version fits."""
    for line in text.splitlines():
        try:
            wanted = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:  # an option of pip, a hash, an empty line
            continue
        versions = [each.version for each in wanted.specifier if each.operator == "=="]
        if len(versions) == 1 and not versions[0].endswith(".*"):
            yield wanted.name.lower(), versions[0]


def _is_same(trained: object, pinned: str) -> bool:
    try:
        return SpecifierSet(f"=={pinned}").contains(Version(str(trained)), prereleases=True)
    except InvalidVersion:
        return trained == pinned
