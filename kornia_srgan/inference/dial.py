"""Interpolates between the weights of a family: the settings `restore` and `sharp`."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor, nn

from kornia_srgan.assembly import load_generator
from kornia_srgan.errors import ArgumentError, WeightsError
from kornia_srgan.weights.blend import mix_tensors, same_tensors
from kornia_srgan.weights.families import Family

T = TypeVar("T")


@dataclass(frozen=True)
class Dial:
    """Interpolates between the weights of a family (network interpolation, arXiv 1809.00219).

    Attributes:
        generator: A network of the family's architecture, copied by `at`.
        clean: Weights for pictures without noise and compression.
        photo: Weights that remove noise and compression.
        gan: Crisp weights, trained from `photo`; None if the family has none.
        name: The family's name in messages.
    """

    generator: nn.Module
    clean: Mapping[str, Tensor]
    photo: Mapping[str, Tensor]
    gan: Mapping[str, Tensor] | None = None
    name: str = "these weights"

    def __post_init__(self) -> None:
        others = (self.photo,) if self.gan is None else (self.photo, self.gan)
        if not all(same_tensors(self.clean, other) for other in others):
            raise WeightsError(
                f"the members of {self.name} are not of one architecture and size", where=self.name
            )

    @classmethod
    def of(cls, family: Family, *, sharp: bool = True) -> Dial:
        """The dial of a packaged family.

        Args:
            family: The family.
            sharp: Whether to read the GAN weights too; without them `sharp` stays 0.

        Raises:
            WeightsError: If one of its weights is missing or damaged.
        """
        clean = load_generator(family.clean).module
        photo = load_generator(family.photo).module.state_dict()
        gan = None if family.gan is None or not sharp else load_generator(family.gan).module.state_dict()
        return cls(clean, clean.state_dict(), photo, gan, family.photo)

    def check(self, restore: float, sharp: float) -> None:
        """Check both settings.

        Raises:
            ArgumentError: If one is not in [0, 1], or `sharp` is set and the family has no GAN weights.
        """
        for name, value in (("restore", restore), ("sharp", sharp)):
            if not 0 <= value <= 1:
                raise ArgumentError(f"{name} is {value}; it must be in [0, 1]", where=name)
        if sharp and self.gan is None:
            raise ArgumentError(f"sharp is {sharp}, but {self.name} has no GAN weights", where="sharp")

    def at(self, restore: float, sharp: float = 0.0) -> nn.Module:
        """A new network for values of `restore` and `sharp`.

        Args:
            restore: From 0 (clean weights) to 1 (photo weights); linear in between.
            sharp: How far to go from there in the direction from photo to GAN weights, from 0 to 1.

        Raises:
            ArgumentError: If one is out of range, or `sharp` is set and the family has no GAN weights.
        """
        self.check(restore, sharp)
        made = copy.deepcopy(self.generator)
        mixed = mix_tensors(self.clean, self.photo, restore)
        if sharp and self.gan is not None:
            for key, value in mixed.items():
                if value.is_floating_point():
                    mixed[key] = value + sharp * (self.gan[key] - self.photo[key])
        made.load_state_dict(mixed)
        return made


class AutoDial:
    """A dial that is set for each picture; the networks of the last few values are kept.

    Args:
        dial: The weights.
        sharp: The same for all pictures; see `Dial.at`.
        around: Wraps each network, for self-ensemble and colour fix.
    """

    _KEPT = 4

    def __init__(
        self, dial: Dial, *, sharp: float = 0.0, around: Callable[[nn.Module], nn.Module] | None = None
    ) -> None:
        dial.check(0.0, sharp)
        self._dial, self._sharp, self._around = dial, sharp, around
        self._ready: OrderedDict[float, Any] = OrderedDict()
        self._lock = threading.Lock()

    def network(self, amount: float) -> nn.Module:
        """The wrapped network for a value."""
        made = self._dial.at(amount, self._sharp)
        return made if self._around is None else self._around(made)

    def upscaler(self, amount: float, make: Callable[[nn.Module, float], T]) -> T:
        """The result of `make` for the network of a value; kept while it is among the last few."""
        with self._lock:
            if amount not in self._ready:
                self._ready[amount] = make(self.network(amount), amount)
                if len(self._ready) > self._KEPT:
                    self._ready.popitem(last=False)
            self._ready.move_to_end(amount)
            return self._ready[amount]

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the weights only."""
        return {**self.__dict__, "_ready": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from a pickle."""
        self.__dict__.update(state)
        self._lock = threading.Lock()
