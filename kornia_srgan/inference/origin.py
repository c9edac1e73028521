"""What an upscaler was made of: names, files and options, which are pickled instead of its tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from kornia_srgan.atomic import sha256_of
from kornia_srgan.errors import WeightsError
from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.ops.measured import Measurements, measurements, take_over
from kornia_srgan.weights.locate import locate_weights, zoo_names

_KNOWN = ("kornia_srgan", "torch", "torchvision", "timm", "kornia", "spandrel", "spandrel_extra_arches")


@dataclass(frozen=True)
class WeightFile:
    """A weight file as it was when it was read.

    Attributes:
        path: Absolute.
        stamp: Size in bytes and time of change in nanoseconds.
        digest: SHA-256 of its content; empty until it is pickled.
    """

    path: Path
    stamp: tuple[int, int]
    digest: str = ""

    @classmethod
    def at(cls, source: str | Path) -> WeightFile:
        """The file of some weights, now."""
        path = locate_weights(source).absolute()
        return cls(path, _stamp(path))

    def unchanged(self) -> bool:
        """Whether the file still is what was read."""
        try:
            return _stamp(self.path) == self.stamp
        except OSError:
            return False

    def check(self) -> None:
        """Check that the file here is the one that was pickled.

        Raises:
            WeightsError: If it is missing or has other content.
        """
        if not self.path.is_file():
            raise WeightsError(
                f"the upscaler was made of {self.path}, which is not on this machine; "
                "put it there too, or on a shared folder",
                where=self.path,
            )
        if _digest(self.path, _stamp(self.path)) != self.digest:
            raise WeightsError(
                f"the upscaler was made of {self.path}, and the file of that name here has other content; "
                "copy the same file, or make the upscaler again",
                where=self.path,
            )


@dataclass(frozen=True)
class Origin:
    """All that is needed to make an equal upscaler again.

    Attributes:
        recipe: The arguments of `Upscaler.from_pretrained`.
        files: The weights that are not packaged.
        measured: What decides how it computes, where it was pickled; None until then.
    """

    recipe: Recipe
    files: tuple[WeightFile, ...]
    measured: Measurements | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> Origin:
        """The origin of an upscaler that is being made."""
        own = [source for source in recipe.sources if source not in zoo_names()]
        return cls(recipe, tuple(WeightFile.at(source) for source in own))

    def at_restore(self, amount: float, device: torch.device) -> Origin:
        """The origin of the upscaler for one value of a dial that is set for each picture."""
        fixed = replace(self.recipe, restore=amount, engine="torch", provider=None, device=device)
        return replace(self, recipe=fixed)

    def portable(self) -> Origin | None:
        """With paths that mean the same elsewhere, and what is in the files; None if one has changed."""
        if not all(file.unchanged() for file in self.files):
            return None
        files = tuple(replace(file, digest=_digest(file.path, file.stamp)) for file in self.files)
        recipe = self.recipe.with_absolute_paths()
        return replace(self, recipe=recipe, files=files, measured=measurements())

    def settle(self) -> None:
        """Check the files, see `WeightFile.check`, and decide as the process did that pickled it."""
        for file in self.files:
            file.check()
        if self.measured is not None:
            take_over(self.measured)


def is_known_elsewhere(generator: nn.Module) -> bool:
    """Whether another process can build a generator by name: no part of it is from a plug-in or a script."""
    return all(type(module).__module__.partition(".")[0] in _KNOWN for module in generator.modules())


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=16)
def _digest(path: Path, stamp: tuple[int, int]) -> str:
    del stamp  # another one is another file
    return sha256_of(path)
