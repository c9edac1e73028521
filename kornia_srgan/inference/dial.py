"""Interpolates between the clean and the photo weights of a family: the setting `restore`."""

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
    """Interpolates between two weights of a family (network interpolation, arXiv 1809.00219).

    Attributes:
        generator: A network of the family's architecture, copied by `at`.
        clean: Weights for pictures without noise and compression.
        photo: Weights that remove noise and compression.
        name: The family's name in messages.
    """

    generator: nn.Module
    clean: Mapping[str, Tensor]
    photo: Mapping[str, Tensor]
    name: str = "these weights"

    def __post_init__(self) -> None:
        if not same_tensors(self.clean, self.photo):
            raise WeightsError(f"the members of {self.name} are not of one architecture and size")

    @classmethod
    def of(cls, family: Family) -> Dial:
        """The dial of a packaged family.

        Raises:
            WeightsError: If one of its weights is missing or damaged.
        """
        clean, photo = load_generator(family.clean).module, load_generator(family.photo).module
        return cls(clean, clean.state_dict(), photo.state_dict(), family.photo)

    def at(self, restore: float) -> nn.Module:
        """A new network for a value of `restore`.

        Args:
            restore: From 0 (clean weights) to 1 (photo weights); linear in between.

        Raises:
            ArgumentError: If it is out of range.
        """
        if not 0 <= restore <= 1:
            raise ArgumentError(f"restore is {restore}; it must be in [0, 1]", where="restore")
        made = copy.deepcopy(self.generator)
        made.load_state_dict(mix_tensors(self.clean, self.photo, restore))
        return made


class AutoDial:
    """A dial that is set for each picture; the networks of the last few values are kept.

    Args:
        dial: The weights.
        around: Wraps each network, for self-ensemble and colour fix.
    """

    _KEPT = 4

    def __init__(self, dial: Dial, *, around: Callable[[nn.Module], nn.Module] | None = None) -> None:
        self._dial, self._around = dial, around
        self._ready: OrderedDict[float, Any] = OrderedDict()
        self._lock = threading.Lock()

    def network(self, amount: float) -> nn.Module:
        """The wrapped network for a value."""
        made = self._dial.at(amount)
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
