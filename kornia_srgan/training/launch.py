"""Sets up the process of a run: device, precision, number of processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import (
    DistributedDataParallelKwargs,
    DistributedType,
    GradientAccumulationPlugin,
    parse_flag_from_env,
)

from kornia_srgan.config.model import Precision, TrainConfig
from kornia_srgan.errors import ConfigError
from kornia_srgan.training.determinism import fast_kernels
from kornia_srgan.training.run_folder import RunFolder

_SHARDING = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
}
_VARIABLES = ("ACCELERATE_", "CUBLAS_WORKSPACE_CONFIG", "FORK_LAUNCHED")


@contextmanager
def prepared_process(config: TrainConfig) -> Iterator[None]:
    """Apply the settings of a run to this process, and restore them afterwards.

    On a GPU these are TF32 and cuDNN's search for the fastest kernels, or deterministic kernels if the config
    requests them. Environment variables that these or Accelerate set are restored too. Accelerate's global
    state is reset unless it existed before, because the next run may use another precision.
    """
    known = bool(AcceleratorState._shared_state)
    before = {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}
    try:
        with fast_kernels(deterministic=config.train.deterministic) if _on_cuda() else nullcontext():
            yield
    finally:
        for name in [n for n in os.environ if n.startswith(_VARIABLES) and n not in before]:
            del os.environ[name]
        os.environ.update(before)
        if not known:
            AcceleratorState._reset_state(reset_partial_state=False)


def make_accelerator(config: TrainConfig, folder: RunFolder) -> Accelerator:
    """An Accelerator for the config, on the CPU or on this process's GPU."""
    return Accelerator(
        cpu=on_cpu(),  # else two launched CPU processes look for GPUs
        mixed_precision=resolve_precision(config.train.precision),
        log_with=list(config.train.trackers) or None,
        project_dir=str(folder.path),
        step_scheduler_with_optimizer=False,
        # The recipe says what these are; Accelerate would ask the launcher.
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        dynamo_backend="no",
        kwargs_handlers=[
            # Without buffers: rank 0's would overwrite those of a batch norm between the two forwards that
            # one backward of the discriminator belongs to. What is saved is rank 0's in either case.
            DistributedDataParallelKwargs(gradient_as_bucket_view=True, broadcast_buffers=False)
        ],
    )


def on_cpu() -> bool:
    """Whether to train on the CPU: there is no GPU, or `accelerate launch --cpu` was used."""
    return not torch.accelerator.is_available() or parse_flag_from_env("ACCELERATE_USE_CPU")


def _on_cuda() -> bool:
    return torch.cuda.is_available() and not on_cpu()


def resolve_precision(precision: Precision) -> str:
    """`auto` is bf16 on a GPU that has it in hardware, else full precision."""
    if precision == "fp16" and not _on_cuda():
        raise ConfigError.at("train.precision", "fp16 needs a GPU; use 'no' or 'bf16' on a CPU")
    if precision != "auto":
        return precision
    return "bf16" if _on_cuda() and torch.cuda.is_bf16_supported(including_emulation=False) else "no"


def check_launch() -> None:
    """Check the options of `accelerate launch` before Accelerate acts on them.

    On a CPU it would silently replace FSDP and DeepSpeed with DDP.

    Raises:
        ConfigError: If networks would be sharded.
    """
    for variable, strategy in _SHARDING.items():
        if os.environ.get(variable, "").lower() in ("1", "true"):
            raise _sharding_error(strategy)


def check_strategy(accelerator: Accelerator) -> None:
    """Check that every process holds the networks whole.

    Raises:
        ConfigError: With FSDP, DeepSpeed or anything else that shards networks.
    """
    plain = (DistributedType.NO, *(kind for kind in DistributedType if kind.value.startswith("MULTI_")))
    if accelerator.distributed_type not in plain:
        raise _sharding_error(accelerator.distributed_type.value)


def _sharding_error(strategy: str) -> ConfigError:
    return ConfigError(
        f"accelerate's {strategy} shards networks: no process has the tensors whole, which the running "
        "average, validation and weight files need; choose multi-GPU (DDP), for large generators with "
        "train.accumulate and train.precision=bf16",
        where=strategy,
    )
