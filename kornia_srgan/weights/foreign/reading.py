"""Reads any file with weights into a flat state dict, without running code of pickles."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kornia_srgan.errors import WeightsError
from kornia_srgan.explain import one_line
from kornia_srgan.weights.files import clean_keys
from kornia_srgan.weights.locate import weights_not_found
from kornia_srgan.weights.safetensors_header import other_kind

if TYPE_CHECKING:
    from torch import Tensor

# Names under which projects keep the moving average of the weights (EMA), which makes the better pictures,
# and the weights themselves: as containers, and as prefixes of keys where a file holds a whole GAN. The first
# one found is taken; case, `-` and `_` do not matter.
_AVERAGES = (
    "params_ema",
    "generator_ema",
    "net_g_ema",
    "netg_ema",
    "g_ema",
    "gen_ema",
    "model_ema",
    "ema_model",
    "ema_state_dict",
    "state_dict_ema",
    "ema_params",
    "ema_weights",
    "ema",
)
_WEIGHTS = (
    "params",
    "state_dict",
    "generator",
    "net_g",
    "netg",
    "g",
    "gen",
    "model_state_dict",
    "model",
    "network",
    "net",
    "weights",
)
_CONTAINERS = (*_AVERAGES, *_WEIGHTS)
_GENERATORS = (*_AVERAGES, "generator", "net_g", "netg", "network", "net", "gen", "model", "g")


@dataclass(frozen=True)
class RawWeights:
    """The tensors of a generator, under the names of the file.

    Attributes:
        state: The tensors.
        found_at: The entry of the file, such as `params_ema`; empty for the top level.
        left_out: Names of other entries of the file.
    """

    state: dict[str, Tensor]
    found_at: str
    left_out: tuple[str, ...]


def read_tensors(path: Path) -> RawWeights:
    """Read a `.safetensors` file or a PyTorch checkpoint.

    Raises:
        WeightsError: If the file is missing, damaged, holds no weights, or its pickle needs other objects
            than tensors. No code of such a pickle is run.
    """
    if not path.exists():
        raise weights_not_found(path)
    return find_state(_read(path), str(path))


def find_state(content: Any, where: str) -> RawWeights:
    """Find the generator's tensors in a checkpoint.

    Raises:
        WeightsError: If there are none.
    """
    found_at: list[str] = []
    left_out: list[str] = []
    while isinstance(content, Mapping) and not _tensors(content):
        name = _first(_CONTAINERS, [key for key, inner in content.items() if isinstance(inner, Mapping)])
        if name is None:
            break
        left_out += [str(key) for key in content if key != name]
        found_at.append(name)
        content = content[name]
    state = _tensors(content) if isinstance(content, Mapping) else {}
    if not state:
        keys = (
            ", ".join(map(str, list(content)[:5])) if isinstance(content, Mapping) else type(content).__name__
        )
        raise WeightsError(
            f"{where} holds no state dict of tensors; it holds: {keys or 'nothing'}", where=where
        )
    left_out += [str(key) for key in content if key not in state]
    state = clean_keys(state)
    prefix = _first(_GENERATORS, {match[1] for match in map(_PREFIX.match, state) if match})
    if prefix is not None:
        found_at.append(prefix)
        left_out += [key for key in state if not key.startswith(f"{prefix}.")]
        inside = {k.removeprefix(f"{prefix}."): v for k, v in state.items() if k.startswith(f"{prefix}.")}
        state = clean_keys(inside)
    return RawWeights(state, ".".join(found_at), tuple(left_out))


_PREFIX = re.compile(r"([A-Za-z_-]+)\.(?!\d)")  # `model.0` is a layer, not a network


def _first(names: tuple[str, ...], keys: Iterable[Any]) -> str | None:
    """The key that comes first in a list of names."""
    spelt = {str(key).lower().replace("-", "_"): key for key in keys}
    return next((spelt[name] for name in names if name in spelt), None)


def _tensors(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    import torch

    return {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}


def _read(path: Path) -> Any:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}", where=path) from None
    try:
        if start[8:] == b"{":
            return load_file(path)
        if what := other_kind(path):
            raise WeightsError(f"{path} is {what}", where=path)
        _refuse_program(path)
        with torch.serialization.safe_globals(_numpy_values()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged: {one_line(error)}", where=path) from None
    except Exception as error:  # torch raises RuntimeError, OSError, EOFError, UnpicklingError and others
        raise _explain(error, path) from None


def _numpy_values() -> list[Any]:
    """The globals of pickled numpy numbers and arrays, which are plain data."""
    import _codecs

    import numpy as np

    functions: list[Any] = [np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]]
    homes = ("numpy.core.multiarray", "numpy._core.multiarray")  # before numpy 2, and since
    both = [(f, f"{home}.{f.__name__}") for f in functions for home in homes]
    kinds = [np.dtype, np.ndarray, *{type(np.dtype(code)) for code in "?bBhHiIlLqQefdFDSU"}]
    return [*both, *kinds, _codecs.encode]


def _refuse_program(path: Path) -> None:
    """Refuse TorchScript archives, which contain code."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise WeightsError(
                f"{path} is a TorchScript program, not weights; import the state dict it was made of",
                where=path,
            )


def _explain(error: Exception, path: Path) -> WeightsError:
    text = str(error)
    wanted = re.search(r"GLOBAL ([\w.]+)", text) or re.search(r"[Cc]lass ([\w.]+)", text)
    if "Weights only load failed" in text and wanted:
        return WeightsError(
            f"{path} is refused: its pickle asks for '{wanted[1]}', which weights do not need; nothing of it "
            "was run. A file that holds only a state dict can be imported",
            where=path,
        )
    return WeightsError(
        f"{path} is neither safetensors nor a whole PyTorch checkpoint; fetch it again", where=path
    )
