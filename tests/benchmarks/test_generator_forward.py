"""The forward benchmark: what it writes, and what it counts."""

import json

import torch

from benchmarks.generator_forward import count_flops, main
from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.inference.optimize import optimize_for_inference


def test_writes_both_forms_and_reports_a_failed_case(tmp_path, capsys):
    path = tmp_path / "x.json"
    main(f"--generator edsr --generator none --sizes 4 6 --repeats 2 --device cpu --json {path}".split())
    written = json.loads(path.read_text())
    assert written["schema"] == 1
    assert written["benchmark"] == "generator_forward"
    assert {"cpu", "threads", "torch", "revision"} <= written["machine"].keys()
    assert written["matmul_flops_per_second"] > 0
    assert [r["name"] for r in written["results"]] == [
        f"edsr {size} {form}" for size in (4, 6) for form in ("plain", "optimized")
    ]
    for result in written["results"]:
        assert result["unit"] == "MP/s"
        assert len(result["values"]) == 2
        assert 0 < result["q1"] <= result["median"] <= result["q3"]
    assert [(c["generator"], c["size"], c["status"]) for c in written["cases"]] == [
        ("edsr", 4, "ok"),
        ("edsr", 6, "ok"),
        ("none", 4, "failed"),
        ("none", 6, "failed"),
    ]
    assert written["cases"][0]["relative_difference"] < 1e-4
    assert "none" in written["cases"][2]["error"]
    assert "failed" in capsys.readouterr().out


def test_flops_are_those_counted_by_hand():
    net = SRResNet(scale=2, channels=4, num_blocks=1).eval()
    images = torch.rand(1, 3, 5, 7)
    at_lr = 9 * 9 * 3 * 4 + 3 * (3 * 3 * 4 * 4) + 3 * 3 * 4 * 16  # head, block and body end, upsampling
    tail = 4 * (9 * 9 * 4 * 3)  # four HR pixels for each LR pixel
    assert count_flops(net, images) == 2 * 35 * (at_lr + tail)
    before_the_shuffle = 5 * 5 * 16 * 12
    assert count_flops(optimize_for_inference(net), images) == 2 * 35 * (at_lr + before_the_shuffle)
