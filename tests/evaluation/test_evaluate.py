import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from kornia_srgan.errors import DataError, UserError
from kornia_srgan.evaluation.evaluate import evaluate
from kornia_srgan.evaluation.report import Report
from tests.helpers import metrics_oracle as oracle
from tests.helpers.tolerances import about


class Nearest(nn.Module):
    def __init__(self, scale=4):
        super().__init__()
        self.scale = scale

    def forward(self, lr):
        return nn.functional.interpolate(lr, scale_factor=self.scale)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, shape in (("a", (41, 50, 3)), ("b", (48, 36, 3))):
        small = Image.fromarray(rng.integers(0, 256, (shape[0] // 6, shape[1] // 6, 3), dtype=np.uint8))
        small.resize(shape[1::-1], Image.Resampling.BICUBIC).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize(("name", "psnr", "ssim"), [("Set5", 28.43, 0.8111), ("Set14", 26.09, 0.7048)])
def test_bicubic_is_the_published_baseline(shared_data, name, psnr, ssim):
    (row,) = evaluate({}, shared_data / "eval" / name).rows
    assert row.model == "bicubic"
    assert row.lr_source == "files"
    assert row.mean["psnr"] == pytest.approx(psnr, abs=0.006)
    assert row.mean["ssim"] == pytest.approx(ssim, abs=0.00006)


def test_made_lr_equals_the_sets_own(shared_data):
    """The LR that is made from HR alone gives the figures of the published LR images."""
    files = evaluate({}, shared_data / "eval/Set5").rows[0]
    made = evaluate({}, shared_data / "eval/Set5/HR").rows[0]
    assert made.lr_source == "matlab_bicubic"
    assert made.images == files.images


def test_figures_equal_the_oracle_on_what_is_written(shared_data):
    """Write the enlarged images as PNG would hold them and score those with the oracle."""
    hr_folder = shared_data / "eval/Set5/HR"
    (_, row) = evaluate({"nearest": Nearest()}, shared_data / "eval/Set5").rows
    for score in row.images:
        hr = np.asarray(Image.open(hr_folder / f"{score.image}.png").convert("RGB"))
        lr = np.asarray(Image.open(hr_folder.parent / f"LRx4/{score.image}.png").convert("RGB"))
        sr = lr.repeat(4, 0).repeat(4, 1)
        psnr, ssim = oracle.score_y(sr, hr[: sr.shape[0], : sr.shape[1]], border=4)
        assert score.metrics["psnr"] == about(psnr, "decibels")
        assert score.metrics["ssim"] == about(ssim, "network")


def test_every_model_is_scored_at_its_scale_beside_bicubic(folder):
    report = evaluate({"two": Nearest(2), "four": Nearest(4)}, folder)
    assert [(r.model, r.scale) for r in report.rows] == [
        ("bicubic", 2),
        ("two", 2),
        ("bicubic", 4),
        ("four", 4),
    ]
    assert [i.image for i in report.rows[0].images] == ["a", "b"]


def test_progress_and_results_name_what_they_are(folder):
    seen, results = [], []
    evaluate({"near": Nearest()}, folder, progress=lambda *w: seen.append(w), on_result=results.append)
    assert seen == [("bicubic", folder.name), ("near", folder.name)] * 2
    assert [(r.model, r.image) for r in results] == [
        ("bicubic", "a"),
        ("near", "a"),
        ("bicubic", "b"),
        ("near", "b"),
    ]
    assert results[0].sr.shape == results[0].hr.shape == (1, 3, 40, 48)


def test_reports_agree_with_each_other(folder):
    report = evaluate({"near": Nearest()}, folder, protocol="basicsr-rgb")
    data = json.loads(report.to_json())
    assert data["protocol"] == "basicsr-rgb/v1"
    near = next(r for r in data["rows"] if r["model"] == "near")
    lines = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert len(lines) == 2 * 3
    mean = next(line for line in lines if line["model"] == "near" and line["image"] == "mean")
    assert float(mean["psnr"]) == about(near["mean"]["psnr"], "layer")
    assert near["mean"]["psnr"] == pytest.approx(np.mean([i["metrics"]["psnr"] for i in near["images"]]))
    markdown = report.to_markdown().splitlines()
    assert markdown[0] == f"| model | scale | {folder.name} PSNR / SSIM |"
    assert f"{near['mean']['psnr']:.2f} / {near['mean']['ssim']:.4f}" in markdown[-1]


def test_a_report_is_read_back(folder):
    report = evaluate({"near": Nearest()}, folder, metrics=("psnr", "niqe"))
    again = Report.from_json(report.to_json())
    assert again.to_markdown() == report.to_markdown()
    assert again.to_csv() == report.to_csv()
    assert again.higher_is_better == {"psnr": True, "niqe": False}
    assert again.rows[1].pixels == 40 * 48 + 48 * 36
    for text in ('{"schema": 2}', "[]", '{"schema": 1, "protocol": "p", "versions": {}, "rows": [{}]}', "no"):
        with pytest.raises(ValueError, match=r"."):
            Report.from_json(text)


def test_tiny_images_are_named_before_any_work(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    for name in ("b", "c"):
        Image.new("RGB", (3, 3)).save(tmp_path / f"{name}.png")
    with pytest.raises(
        DataError, match=r"b\.png is too small .* 3x3 .* 20x20 .*; 2 of 3 images are too small"
    ):
        evaluate({}, tmp_path, on_result=lambda result: pytest.fail("work was done"))
    (tmp_path / "b.png").unlink()
    (tmp_path / "c.png").unlink()
    Image.new("RGB", (20, 20)).save(tmp_path / "d.png")
    assert evaluate({}, tmp_path).rows[0].images[1].image == "d"


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_other_scales(folder, scale):
    report = evaluate({"near": Nearest(scale)}, folder)
    assert [(r.model, r.scale) for r in report.rows] == [("bicubic", scale), ("near", scale)]
    assert evaluate({}, folder, scale=scale).rows[0].mean == report.rows[0].mean


def test_realsr_wants_the_sets_own_lr(tmp_path):
    rng = np.random.default_rng(0)
    for kind, side in (("HR", 40), ("LR4", 10), ("LR2", 20)):
        image = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        image.save(tmp_path / f"Canon_001_{kind}.png")
    report = evaluate({}, tmp_path, protocol="realsr")
    assert [i.image for i in report.rows[0].images] == ["Canon_001"]
    (tmp_path / "Canon_001_LR4.png").rename(tmp_path / "Canon_002_LR4.png")
    with pytest.raises(DataError, match=r"has no LR images at x3, and protocol realsr makes none"):
        evaluate({}, tmp_path, protocol="realsr", scale=3)
    assert [i.image for i in evaluate({}, tmp_path, scale=3).rows[0].images] == ["Canon_001"]
    with pytest.raises(DataError, match=r"Canon_002_LR4\.png has no partner in .*; 2 of 2 images have none"):
        evaluate({}, tmp_path, protocol="realsr")


def test_a_model_that_enlarges_wrongly_is_named(folder):
    class Liar(Nearest):
        def forward(self, lr):
            return super().forward(lr)[..., 1:]

    with pytest.raises(UserError, match="liar: an image of"):
        evaluate({"liar": Liar()}, folder)


def test_lr_that_does_not_fit_is_named(tmp_path):
    for name, side in (("HR", 40), ("LRx4", 11)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (side, side)).save(tmp_path / name / "a.png")
    with pytest.raises(DataError, match=r"has 11x11 pixels; x4 of .* needs 10x10"):
        evaluate({}, tmp_path)


def test_grey_and_transparent_images_are_read_as_rgb(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)).save(
        tmp_path / "g.png"
    )
    assert evaluate({}, tmp_path).rows[0].mean["psnr"] > 5


def test_models_run_without_gradients(folder):
    class Watch(Nearest):
        def forward(self, lr):
            assert not torch.is_grad_enabled()
            return super().forward(lr)

    evaluate({"watch": Watch()}, folder)


def test_chosen_metrics(folder):
    (row,) = evaluate({}, folder, metrics=("ssim", "niqe")).rows
    assert list(row.mean) == ["ssim", "niqe"]


def test_what_cannot_be_computed_is_left_out_of_the_mean_and_null_in_json(folder):
    report = evaluate({}, folder, metrics=("psnr", "niqe"))  # NIQE needs larger images than these
    assert np.isnan(report.rows[0].mean["niqe"])
    row = json.loads(report.to_json())["rows"][0]
    assert row["mean"]["niqe"] is None
    assert row["mean"]["psnr"] > 0
    assert report.to_markdown().splitlines()[-1].endswith("/ - |")


def test_a_plugins_metric(folder):
    from kornia_srgan.registry.catalog import METRICS

    class WorstPixel:
        on = "rgb"
        higher_is_better = False

        def __call__(self, images, references):
            return (images - references).abs().amax(dim=(1, 2, 3))

    with METRICS.temporary():
        METRICS.register("worst_pixel")(WorstPixel)
        report = evaluate({}, folder, metrics=("worst-pixel",))
    assert 0 < report.rows[0].mean["worst_pixel"] <= 1
    assert "WORST_PIXEL" in report.to_markdown()
