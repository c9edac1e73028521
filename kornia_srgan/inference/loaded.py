"""Upscalers that stay loaded, for a page or a server that is asked for different ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.inference.upscaler import Upscaler


class LoadedUpscalers:
    """Upscalers by recipe; the one that was not used for longest makes room for a new one.

    Args:
        most: How many stay loaded.
        options: Fields of the recipe that are the same for all, such as `device`.
    """

    def __init__(self, most: int, **options: Any) -> None:
        self._most, self._options = most, options
        self._ready: OrderedDict[Recipe, Upscaler] = OrderedDict()

    def get(self, recipe: Recipe) -> Upscaler:
        """The upscaler of a recipe, loaded if it is not ready."""
        recipe = replace(recipe, **self._options)
        if recipe not in self._ready:
            while len(self._ready) >= self._most:  # before the new one is loaded: memory may be short
                self._ready.popitem(last=False)
            self._ready[recipe] = Upscaler.from_pretrained(**vars(recipe))
        self._ready.move_to_end(recipe)
        return self._ready[recipe]
