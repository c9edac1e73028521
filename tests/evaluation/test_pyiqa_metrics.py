"""The adapter against a stand-in for pyiqa, and our figures against the real one where it is installed."""

import socket
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from kornia_srgan.errors import (
    ArgumentError,
    MissingExtraError,
    OfflineError,
    UnknownComponentError,
    UserError,
)
from kornia_srgan.evaluation import metrics, pyiqa_metrics
from kornia_srgan.evaluation.evaluate import evaluate
from kornia_srgan.evaluation.metrics import studio_luma
from kornia_srgan.evaluation.protocols import get_protocol, make_metrics
from kornia_srgan.evaluation.report import metric_title
from kornia_srgan.registry.catalog import METRICS
from tests.helpers.tolerances import about

CONSTANTS = {"lpips": 0.2, "dists": 0.1, "clipiqa": 0.7, "maniqa": 0.5, "musiq": 60.0, "niqe": 4.0}
LOWER = ("lpips", "dists", "niqe")
FULL = ("lpips", "dists", "distance")


class Stand(nn.Module):
    """A metric as pyiqa makes them: a constant, or the mean absolute difference."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.lower_better = name in (*LOWER, "distance")
        self.metric_mode = "FR" if name in FULL else "NR"

    def forward(self, target, ref=None):
        assert (ref is not None) == (self.metric_mode == "FR")
        assert target.dtype == torch.float32
        assert target.shape[0] == 1
        assert not torch.is_grad_enabled()
        if target.shape[-1] < 8:
            raise AssertionError("the image is\n too small")
        if self.name == "distance":
            return (target - ref).abs().mean()[None, None]
        return torch.tensor([[CONSTANTS[self.name]]])


@pytest.fixture
def stand_in(monkeypatch):
    """pyiqa's interface; what `create_metric` was given is kept."""
    module = types.ModuleType("pyiqa")
    module.__version__ = "9.9"
    module.made = []

    def create_metric(name, device, **options):
        if "wrong" in options:
            raise TypeError("unexpected keyword 'wrong'")
        module.made.append((name, device, options))
        print("Downloading: weights")
        return Stand(name)

    module.create_metric = create_metric
    module.list_models = lambda: [*CONSTANTS, "distance"]
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    pyiqa_metrics._installed.cache_clear()
    yield module
    pyiqa_metrics._installed.cache_clear()


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    pyiqa_metrics._installed.cache_clear()
    yield
    pyiqa_metrics._installed.cache_clear()


def test_a_name_that_is_pyiqas_is_found_there(stand_in, capsys):
    made = make_metrics(["psnr", "distance", "clipiqa"])
    assert list(made) == ["psnr", "distance", "clipiqa"]
    assert not made["distance"].higher_is_better
    assert made["clipiqa"].higher_is_better
    a, b = torch.rand(2, 3, 16, 16).double(), torch.rand(2, 3, 16, 16).double()
    scores = made["distance"](a, b)
    assert scores.dtype == torch.float64
    assert scores.tolist() == about((a - b).abs().mean(dim=(1, 2, 3)).tolist(), "elementwise")
    assert capsys.readouterr().out == ""  # what pyiqa prints goes to stderr


def test_ours_wins_unless_pyiqas_is_asked_for(stand_in):
    made = make_metrics(["niqe", "pyiqa:niqe", "pyiqa:musiq", "pyiqa:clipiqa,device=cpu,net=RN50"])
    assert [type(m).__name__ for m in made.values()] == ["NIQE", "PyIQA", "PyIQA", "PyIQA"]
    assert list(made) == ["niqe", "pyiqa:niqe", "musiq", "clipiqa:net=RN50"]
    assert stand_in.made[-1] == ("clipiqa", "cpu", {"net": "RN50"})


def test_names_of_figures_are_short_and_differ(stand_in):
    files = [f"distance:pretrained_model_path={name}.pth" for name in "ab"]
    assert list(make_metrics(files[:1])) == ["distance"]
    assert list(make_metrics(files)) == files
    assert metric_title("lpips:net=vgg") == "LPIPS:net=vgg"


def test_ntires_score_by_hand(stand_in):
    a = torch.rand(2, 3, 16, 16)
    expected = (1 - 0.2) + (1 - 0.1) + 0.7 + 0.5 + 60 / 100 + (10 - 4) / 10
    assert METRICS.create("ntire")(a, a).tolist() == pytest.approx([expected] * 2)
    CONSTANTS["niqe"] = 12.0
    try:
        assert METRICS.create("ntire")(a, a).tolist() == pytest.approx([expected - 0.6] * 2)  # not below zero
    finally:
        CONSTANTS["niqe"] = 4.0


def test_a_report_holds_version_and_direction(stand_in, tmp_path):
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
        tmp_path / "a.png"
    )
    report = evaluate({}, tmp_path, metrics=("psnr", "distance"))
    assert report.versions["distance"] == "pyiqa 9.9"
    assert report.higher_is_better == {"psnr": True, "distance": False}
    assert report.rows[0].mean["distance"] > 0


def test_names_and_options_that_do_not_exist(stand_in):
    with pytest.raises(UserError, match=r"pyiqa 9\.9 has no metric 'musik'; did you mean 'musiq'"):
        make_metrics(["pyiqa:musik"])
    with pytest.raises(
        UnknownComponentError, match=r"unknown metric 'topiq_n'; did you mean 'topiq_nr' of pyiqa"
    ):
        make_metrics(["topiq_n"])
    with pytest.raises(ArgumentError, match="metric pyiqa:musiq: unexpected keyword 'wrong'"):
        make_metrics(["pyiqa:musiq,wrong=1"])


def test_an_image_it_cannot_score_is_the_users_to_mend(stand_in):
    (metric,) = make_metrics(["musiq"]).values()
    with pytest.raises(
        UserError, match="pyiqa's musiq cannot score an image of 4x6 pixels: the image is too small"
    ):
        metric(torch.rand(1, 3, 6, 4), torch.rand(1, 3, 6, 4))


@pytest.mark.parametrize("name", ["musiq", "topiq_nr", "pyiqa:psnr", "ntire"])
def test_without_pyiqa_the_extra_is_named(missing, name):
    with pytest.raises(MissingExtraError, match=r"pip install 'kornia-srgan\[iqa\]'"):
        make_metrics([name])


def test_offline_nothing_is_asked_and_the_way_out_is_named(stand_in, monkeypatch):
    """Whatever a metric tries to reach fails at once, the hub by its own switch."""
    monkeypatch.setattr(pyiqa_metrics, "reachable", lambda _: False)
    tried = []

    def create_metric(name, device):
        from huggingface_hub import constants

        tried.append(constants.HF_HUB_OFFLINE)
        socket.create_connection(("198.51.100.1", 443))  # a host that never answers

    monkeypatch.setattr(stand_in, "create_metric", create_metric)
    before = (socket.getaddrinfo, socket.socket.connect)
    with pytest.raises(
        OfflineError, match=r"musiq needs weights .* cannot be reached; .*pyiqa\.create_metric\('musiq'\)"
    ):
        make_metrics(["musiq"])
    assert tried == [True]
    assert (socket.getaddrinfo, socket.socket.connect) == before


def test_a_server_that_does_not_answer_is_given_up(stand_in, monkeypatch):
    monkeypatch.setattr(pyiqa_metrics, "reachable", lambda _: True)
    monkeypatch.setattr(pyiqa_metrics, "_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()

        def create_metric(name, device):
            from urllib.request import urlopen

            urlopen(f"http://127.0.0.1:{silent.getsockname()[1]}/weights")

        monkeypatch.setattr(stand_in, "create_metric", create_metric)
        with pytest.raises(
            OfflineError, match=r"musiq needs weights that are not here, and cannot be downloaded \(time"
        ):
            make_metrics(["musiq"])
    assert socket.getdefaulttimeout() is None


@pytest.fixture
def real():
    """pyiqa itself."""
    pyiqa_metrics._installed.cache_clear()
    return pytest.importorskip("pyiqa", reason="needs the extra 'iqa'")


@pytest.fixture
def pair(shared_data):
    from kornia_srgan.evaluation.datasets import find_sets
    from kornia_srgan.evaluation.pairs import read_pair

    lr, hr = read_pair(find_sets(shared_data / "eval/Set5", 4)[0].images[0], 4)
    sr = torch.nn.functional.interpolate(lr, scale_factor=4, mode="bicubic").clamp(0, 1)
    return sr, hr


def cut(images, border=4):
    """As the protocol does it: 8 bits, without the border."""
    return ((images.double() * 255 + 0.5).floor() / 255)[..., border:-border, border:-border].float()


def test_psnr_and_ssim_are_pyiqas(real, pair):
    """On the papers' Y, which has to be asked for: pyiqa's default is the full-range Y of YIQ."""
    images = [cut(image) for image in pair]
    theirs = make_metrics([f"pyiqa:{name},color_space=ycbcr" for name in ("psnry", "ssim")])
    psnr, ssim = (metric(*images).item() for metric in theirs.values())
    assert get_protocol("ledig-y").score(*pair, scale=4)["psnr"] == about(psnr, "decibels")
    rounded = [(studio_luma(image) * 255).round() for image in images]  # as pyiqa does it for SSIM alone
    assert metrics.ssim(*rounded, peak=255).item() == about(ssim, "layer")
    rgb = get_protocol("basicsr-rgb").score(*pair, scale=4)
    theirs = make_metrics(["pyiqa:psnr", "ssimc"])
    psnr, ssim = (metric(*images).item() for metric in theirs.values())
    assert rgb["psnr"] == about(psnr, "decibels")
    assert rgb["ssim"] == about(ssim, "layer")


def test_niqe_is_pyiqas(real, pair, tmp_path):
    """With the authors' model, which pyiqa would download."""
    from scipy.io import savemat

    from kornia_srgan.evaluation.niqe import _natural_model, niqe

    mean, covariance = (t.numpy() for t in _natural_model())
    savemat(tmp_path / "model.mat", {"mu_prisparam": mean[None], "cov_prisparam": covariance})
    text = f"pyiqa:niqe,color_space=ycbcr,pretrained_model_path={tmp_path / 'model.mat'}"
    (theirs,) = make_metrics([text]).values()
    images = cut(pair[1])
    assert niqe(images).item() == pytest.approx(theirs(images, images).item(), rel=1e-3)


def test_niqe_of_flat_regions_differs_by_pyiqas_rounding(real, shared_data, tmp_path, monkeypatch):
    """Its Gaussian window is in float32, whose sum is not quite 1: a flat pixel counts as negative."""
    from PIL import Image
    from scipy.io import savemat

    from kornia_srgan.evaluation import niqe as ours

    arch = pytest.importorskip("pyiqa.archs.niqe_arch")
    mean, covariance = (t.numpy() for t in ours._natural_model())
    savemat(tmp_path / "model.mat", {"mu_prisparam": mean[None], "cov_prisparam": covariance})
    theirs = arch.NIQE(color_space="ycbcr", pretrained_model_path=str(tmp_path / "model.mat"))
    pixels = np.asarray(Image.open(shared_data / "eval/Set14/HR/img_006.png").convert("RGB"))
    images = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].double() / 255
    figure = ours.niqe(images).item()
    assert theirs(images).item() == pytest.approx(figure, rel=0.04)
    assert theirs(images).item() != pytest.approx(figure, rel=0.01)
    monkeypatch.setattr(arch, "normalize_img_with_gauss", lambda image, **_: ours._normalised(image))
    assert theirs(images).item() == pytest.approx(figure, rel=1e-3)


def test_the_real_one_offline_says_what_to_do(real, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(pyiqa_metrics, "reachable", lambda _: False)
    if (Path(torch.hub.get_dir()) / "pyiqa").exists():
        pytest.skip("its weights are here")
    for name in ("lpips", "musiq"):
        with pytest.raises(OfflineError, match="leave the metric out"):
            make_metrics([f"pyiqa:{name}"])
