"""What an `Upscaler` makes of arrays and tensors: the same type, larger."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kornia_srgan.inference.compute import Pieces, forward_unit
from kornia_srgan.inference.dial import AutoDial
from kornia_srgan.inference.intake import check_tensor, checked_array
from kornia_srgan.inference.streaming.streamer import Streamer
from kornia_srgan.inference.values import Values, fill_array
from kornia_srgan.photos.photo import Pixels


class Calls(ABC):
    """Arrays and tensors by way of `bands`; `Upscaler` says the rest."""

    scale: int
    channels: int
    data_range: tuple[float, float] | None
    device: torch.device
    dtype: torch.dtype
    _values: Values
    _dial: AutoDial | None

    @property
    @abstractmethod
    def generator(self) -> nn.Module:
        """See `Upscaler`."""

    @property
    @abstractmethod
    def tile(self) -> int:
        """See `Upscaler`."""

    @cached_property
    @abstractmethod
    def _pieces(self) -> Pieces: ...

    @cached_property
    @abstractmethod
    def _streamer(self) -> Streamer | None: ...

    @abstractmethod
    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        """See `Upscaler`."""

    @abstractmethod
    def tuned(self, pixels: Pixels, quality: int | None = None) -> Any:
        """See `Upscaler`."""

    @abstractmethod
    def _bands(self, image: Tensor) -> Iterator[Tensor]: ...

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width of the result for an image of `height` x `width`."""
        return self.scale * height, self.scale * width

    def notes(self, height: int, width: int) -> tuple[str, ...]:
        """Notes about the result for an image of `height` x `width`; always empty."""
        del height, width
        return ()

    def room(self, height: int, width: int) -> int:
        """How many pictures of a size `whole` takes at once: no more pixels than a tile has; 1 is none.

        Only generators on the CPU that are known to see nothing but the pixels around each.
        """
        plain = self._dial is None and self.data_range is None and self._streamer is not None
        return max(1, self.tile**2 // (height * width)) if plain else 1

    def whole(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """Enlarge pictures `(H, W, C)` of one size and dtype in one call, as many as there is `room` for."""
        images = torch.from_numpy(np.stack(pictures)).movedim(-1, 1)
        return list(self._pieces(images).movedim(1, -1).numpy())

    def _array(self, pixels: Pixels) -> Pixels:
        planes = checked_array(pixels, self.channels, self.data_range, self._values)
        height, width, channels = planes.shape
        output = np.empty((self.scale * height, self.scale * width, channels), planes.dtype)
        fill_array(output, self.bands(planes))
        return output.reshape(*output.shape[:2], *pixels.shape[2:])

    def _tensor(self, images: Tensor, differentiable: bool) -> Tensor:
        if images.ndim == 3:
            return self._tensor(images[None], differentiable)[0]
        check_tensor(images, self.channels, self.data_range, self._values, differentiable=differentiable)
        if self._dial is not None:
            return torch.cat(
                [self._tuned_to(image)._tensor(image, differentiable) for image in images.split(1)]
            )
        if differentiable:
            self._values.check(images.detach())
            unit = self._values.to_unit(images.to(self.device), self.dtype)
            output = forward_unit(self.generator, unit, self.channels)
            return self._values.unclamped(output.to(images.device, images.dtype))
        height, width = self.size(*images.shape[-2:])
        output = images.new_empty((*images.shape[:2], height, width))
        for index in range(len(images)):
            image = images[index : index + 1].detach()
            if self.data_range and image.is_floating_point() and bool(image.isnan().any()):
                output[index] = self._with_gaps(image[0])
                continue
            fill_array(output[index].movedim(1, 0), (band[0].movedim(1, 0) for band in self._bands(image)))
        return output

    def _with_gaps(self, image: Tensor) -> Tensor:
        """One image `(C, H, W)` of which pixels are NaN."""
        planes = image.detach().movedim(0, -1).cpu()
        strips = self.bands(planes.float().numpy() if planes.itemsize < 4 else planes.numpy())
        return torch.from_numpy(np.concatenate(list(strips))).movedim(-1, 0).to(image.device, image.dtype)

    def _tuned_to(self, image: Tensor) -> Any:
        """The upscaler for one image of a batch, `(1, C, H, W)`."""
        values = image.detach()[0].movedim(0, -1).cpu()
        return self.tuned((values.float() if values.is_floating_point() else values).numpy())
