"""The metrics of pyiqa by name (extra `iqa`), and NTIRE's perceptual score from six of them.

pyiqa downloads weights when a metric is first created. Without a network this is an immediate error.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

from torch import Tensor

from kornia_srgan.environment import require_extra
from kornia_srgan.errors import ArgumentError, OfflineError, UserError, did_you_mean
from kornia_srgan.evaluation.perceptual import attribute_replaced
from kornia_srgan.explain import one_line
from kornia_srgan.network import hub_endpoint, reachable

# Those that papers quote, so that their names are known where pyiqa is not installed.
QUOTED = (
    "ahiq", "arniqa", "brisque", "clipiqa", "clipiqa+", "dbcnn", "dists", "fsim", "gmsd", "hyperiqa",
    "ilniqe", "liqe", "lpips", "lpips-vgg", "maniqa", "maniqa-pipal", "ms_ssim", "musiq", "musiq-ava",
    "musiq-spaq", "nima", "niqe", "nrqm", "paq2piq", "pi", "pieapp", "piqe", "psnr", "psnry", "qalign",
    "qualiclip", "ssim", "ssimc", "topiq_fr", "topiq_iaa", "topiq_nr", "vif", "vsi",
)  # fmt: skip
_SECONDS = 30  # for a server to answer


class PyIQA:
    """A metric of pyiqa.

    Chen and Mo 2022, "IQA-PyTorch", https://github.com/chaofengc/IQA-PyTorch.

    Args:
        metric: Its name in pyiqa, such as `musiq`.
        device: The device.
        **options: Options of pyiqa's `create_metric`, such as `pretrained_model_path` for a local file.

    Raises:
        MissingExtraError: If pyiqa is not installed.
        UserError: If it has no such metric.
        OfflineError: If the metric's weights are missing and cannot be downloaded.
    """

    on: Literal["protocol", "rgb"] = "rgb"

    def __init__(self, *, metric: str, device: str = "cpu", **options: Any) -> None:
        pyiqa = _pyiqa()
        known = pyiqa.list_models()
        if metric not in known:
            hint = did_you_mean(metric, known)
            raise UserError(f"pyiqa {pyiqa.__version__} has no metric '{metric}'{hint}", where="metric")
        self.name = metric
        self.version = f"pyiqa {pyiqa.__version__}"
        self._metric = _create(pyiqa, metric, device, options)
        self.higher_is_better = not self._metric.lower_better
        self._takes_reference = self._metric.metric_mode == "FR"

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, 3, H, W)` in [0, 1]: `(B,)`.

        Raises:
            UserError: If it cannot score such an image, most often because it is too small.
        """
        import torch

        scores = []
        for image, reference in zip(images.float().split(1), references.float().split(1), strict=True):
            given = (image, reference) if self._takes_reference else (image,)
            try:
                with torch.inference_mode():
                    score = self._metric(*given)
            except (RuntimeError, ValueError, AssertionError, IndexError) as error:
                size = f"{image.shape[-1]}x{image.shape[-2]}"
                raise UserError(
                    f"pyiqa's {self.name} cannot score an image of {size} pixels: {_line(error)}",
                    where=self.name,
                ) from error
            value = score[0] if isinstance(score, tuple) else score
            scores.append(torch.as_tensor(value).double().reshape(-1)[0].cpu())
        return torch.stack(scores)


class NTIREPerceptual:
    """The perceptual score of NTIRE's challenge on image super-resolution (x4): higher is better.

    (1 - LPIPS) + (1 - DISTS) + CLIPIQA + MANIQA + MUSIQ / 100 + max(0, (10 - NIQE) / 10), all by pyiqa.
    Chen et al. 2025, arXiv 2504.14582.

    Args:
        device: The device.

    Raises:
        MissingExtraError: If pyiqa is not installed.
        OfflineError: If weights are missing and cannot be downloaded.
    """

    on: Literal["protocol", "rgb"] = "rgb"
    higher_is_better = True

    def __init__(self, *, device: str = "cpu") -> None:
        names = ("lpips", "dists", "clipiqa", "maniqa", "musiq", "niqe")
        self._metrics = {name: PyIQA(metric=name, device=device) for name in names}
        self.version = self._metrics["niqe"].version

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, 3, H, W)` in [0, 1]: `(B,)`, at most 6."""
        s = {name: metric(images, references) for name, metric in self._metrics.items()}
        natural = ((10 - s["niqe"]) / 10).clamp_min(0)
        return (1 - s["lpips"]) + (1 - s["dists"]) + s["clipiqa"] + s["maniqa"] + s["musiq"] / 100 + natural


def is_known(name: str) -> bool:
    """Whether pyiqa has a metric of that name, as far as can be told without it."""
    return name in QUOTED or (_installed() is not None and name in _pyiqa().list_models())


def _pyiqa() -> Any:
    found = _installed()
    if found is None:
        require_extra("iqa", "pyiqa", purpose="this metric")
    return found


@cache
def _installed() -> Any:
    try:
        with contextlib.redirect_stdout(sys.stderr):
            import pyiqa  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return pyiqa


def _create(pyiqa: Any, name: str, device: str, options: dict[str, Any]) -> Any:
    online = reachable(hub_endpoint())
    try:
        # what it prints while it downloads must not come between the lines of a table
        with _patience() if online else _no_network(), contextlib.redirect_stdout(sys.stderr):
            return pyiqa.create_metric(name, device=device, **options)
    except TypeError as error:
        raise ArgumentError(f"metric pyiqa:{name}: {_line(error)}", where=name) from error
    except Exception as error:
        if online and not isinstance(error, OSError):
            raise UserError(f"pyiqa's {name} cannot be made: {_line(error)}", where=name) from error
        why = f"cannot be downloaded ({_line(error)})" if online else f"{hub_endpoint()} cannot be reached"
        raise OfflineError(
            f"pyiqa's {name} needs weights that are not here, and {why}; make it once where there is a "
            f"network (python -c \"import pyiqa; pyiqa.create_metric('{name}')\") and copy the folders "
            "~/.cache/torch/hub and ~/.cache/huggingface, or leave the metric out",
            where=name,
        ) from error


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Servers that do not answer are given up."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def _no_network() -> Iterator[None]:
    """Whatever would be downloaded fails at once; what is in a cache is found."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no network")

    from huggingface_hub import constants

    with (
        attribute_replaced(constants, "HF_HUB_OFFLINE", True),
        attribute_replaced(socket, "getaddrinfo", refuse),
        attribute_replaced(socket.socket, "connect", refuse),
    ):
        yield


def _line(error: BaseException) -> str:
    return one_line(getattr(error, "reason", None) or error)
