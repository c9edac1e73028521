"""Reports whose figures are known."""

from kornia_srgan.evaluation.report import ImageScore, Report, Row


def row(model, psnr, niqe=None, *, dataset="Set", scale=4, second="niqe", **facts):
    """A row of images called 0, 1, 2..., with PSNR and a second metric."""
    niqe = niqe or [5.0] * len(psnr)
    images = tuple(
        ImageScore(str(index), {"psnr": float(p), second: float(n)})
        for index, (p, n) in enumerate(zip(psnr, niqe, strict=True))
    )
    return Row(model, dataset, scale, "files", images, **facts)


def report(*rows, notes=()):
    """A report of such rows."""
    directions = {"psnr": True, "niqe": False}
    return Report("ledig-y/v1", rows, {"kornia_srgan": "1.2", "torch": "3"}, directions, {}, tuple(notes))
