"""Small documents: measured, and made up."""

import torch
from torch import nn

from kornia_srgan.benchmarking.forward import run_forward
from kornia_srgan.benchmarking.measurements import Result
from kornia_srgan.benchmarking.plan import Plan
from kornia_srgan.benchmarking.schema import ForwardDocument, make_document
from kornia_srgan.benchmarking.subjects import find_subjects

SMALL_EDSR = "edsr:channels=4,num_blocks=1"
QUICK = Plan(sizes=[(5, 7)], repeats=3, warmup=1)


def measure(*generators, plan=QUICK, engines=(), **options):
    """The document of some generators on tiny inputs."""
    return run_forward(find_subjects(generators, **options), plan, engines=engines)


def made_up(speeds, *, parameters=10, **machine):
    """A document with one case `edsr`; `speeds` maps engines to their values, or to an error."""
    results, runs = [], []
    for engine, found in speeds.items():
        if isinstance(found, str):
            runs.append({"engine": engine, "version": "1", "status": "failed", "error": found})
        else:
            results.append(Result.of(f"edsr / {engine}", "MP/s", found))
            runs.append({"engine": engine, "version": "1", "status": "ok", "result": f"edsr / {engine}"})
    case = {
        "subject": "edsr", "kind": "generator", "scale": 4, "parameters": parameters, "flops": None,
        "batch": 1, "height": 8, "width": 8, "dtype": "float32", "memory_format": "channels_last",
        "compiled": False, "optimized": True, "runs": runs,
    }  # fmt: skip
    content = make_document(
        "generator_forward", {}, results, "cpu", matmul_flops_per_second={}, memory="", cases=[case]
    )
    content["machine"] |= machine
    return ForwardDocument.model_validate(content)


class Shuffle(nn.Module):
    """A user's generator."""

    def __init__(self, *, scale: int = 4):
        super().__init__()
        self.scale = scale
        self.body = nn.Sequential(nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, lr):
        return self.body(lr)


class Picky(Shuffle):
    """Refuses large images, and decides by the values of an image: it cannot run on tensors without data."""

    def forward(self, lr):
        if lr.shape[-1] > 8:
            raise RuntimeError("too\n wide")
        return self.body(lr if lr.mean() < 2 else lr / 2)


class Broken(Shuffle):
    """Cannot be made."""

    def __init__(self, *, scale: int = 4):
        super().__init__(scale=scale)
        raise OSError("its licence server is away")


class Dreaming(Shuffle):
    """Gives what is not a number."""

    def forward(self, lr):
        return torch.log(-1 - self.body(lr).abs())
