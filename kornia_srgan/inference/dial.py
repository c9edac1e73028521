"""Networks between relatives: from the clean weights to the photo weights, and on towards the GAN's."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from kornia_srgan.assembly import load_generator
from kornia_srgan.errors import ArgumentError, WeightsError
from kornia_srgan.weights.blend import same_tensors
from kornia_srgan.weights.families import Family

T = TypeVar("T")


@dataclass(frozen=True)
class Dial:
    """The weights of a family, and what lies between them (network interpolation, arXiv 1809.00219).

    Attributes:
        generator: A network of the family's architecture; what `at` returns is a copy of it.
        clean: Weights for pictures without noise and compression.
        photo: Weights that take noise and compression away.
        gan: Crisp weights, trained from `photo`; None where the family has none.
        name: The family's name in messages.
    """

    generator: nn.Module
    clean: Mapping[str, Tensor]
    photo: Mapping[str, Tensor]
    gan: Mapping[str, Tensor] | None = None
    name: str = "these weights"

    def __post_init__(self) -> None:
        for other in (self.photo, self.gan):
            if other is not None and not same_tensors(self.clean, other):
                raise WeightsError(f"the members of {self.name} are not of one architecture and size")

    @classmethod
    def of(cls, family: Family) -> Dial:
        """The dial of a packaged family.

        Raises:
            WeightsError: If one of its weights is not there or damaged.
        """
        clean = load_generator(family.clean)
        states = [
            None if name is None else load_generator(name).module.state_dict()
            for name in (family.photo, family.gan)
        ]
        photo, gan = states
        assert photo is not None  # every family has one
        return cls(clean.module, clean.module.state_dict(), photo, gan, family.photo)

    def check(self, restore: float, sharp: float) -> None:
        """Raise `ArgumentError` unless both lie in [0, 1] and there is a GAN where `sharp` asks for one."""
        for name, value in (("restore", restore), ("sharp", sharp)):
            if not 0 <= value <= 1:
                raise ArgumentError(f"{name} is {value}; it must be in [0, 1]", where=name)
        if sharp and self.gan is None:
            raise ArgumentError(f"sharp is {sharp}, but {self.name} has no GAN weights; leave it out")

    def at(self, restore: float, sharp: float = 0.0) -> nn.Module:
        """The network at a setting: a new module.

        Args:
            restore: 0 is the clean weights, 1 the photo weights; between them a straight line.
            sharp: How far to go on from there in the direction from photo to GAN weights.

        Raises:
            ArgumentError: If a setting is out of range or the family has no GAN.
        """
        self.check(restore, sharp)
        made = copy.deepcopy(self.generator)
        made.load_state_dict({key: self._between(key, restore, sharp) for key in self.clean})
        return made

    def _between(self, key: str, restore: float, sharp: float) -> Tensor:
        clean, photo = self.clean[key], self.photo[key]
        if not clean.is_floating_point():
            return clean
        mixed = torch.lerp(clean.double(), photo.double(), restore)
        if sharp and self.gan is not None:
            mixed = mixed + sharp * (self.gan[key].double() - photo.double())
        return mixed.to(clean.dtype)


class AutoDial:
    """A dial that is set for each picture; the last few settings are kept ready.

    Args:
        dial: The weights.
        sharp: The same for all pictures.
        around: Put around each network: self-ensemble, colour fix.
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
        """The network at an amount, with what is put around it."""
        made = self._dial.at(amount, self._sharp)
        return made if self._around is None else self._around(made)

    def upscaler(self, amount: float, make: Callable[[nn.Module, float], T]) -> T:
        """What `make` makes of the network at an amount; made once while it is among the last few."""
        with self._lock:
            if amount not in self._ready:
                self._ready[amount] = make(self.network(amount), amount)
                if len(self._ready) > self._KEPT:
                    self._ready.popitem(last=False)
            self._ready.move_to_end(amount)
            return self._ready[amount]

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the weights, without what is made of them."""
        return {**self.__dict__, "_ready": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Back from a pickle."""
        self.__dict__.update(state)
        self._lock = threading.Lock()
