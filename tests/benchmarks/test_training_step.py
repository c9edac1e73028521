"""The training step benchmark: both loops are the same training, and what is written."""

import copy
import json

import pytest
import torch

from benchmarks.report import Result
from benchmarks.training_step import (
    OURS,
    PLAIN,
    WHOLE,
    Ours,
    check_losses,
    main,
    make_config,
    make_plain,
    parse,
    summary,
)
from kornia_srgan.assembly import assemble
from tests.helpers.half import fresh_state
from tests.helpers.tolerances import assert_near

SIZES = "--device cpu --crop 32 --batch 2 --channels 4 --blocks 1 --width 4 --repeats 2"


def test_both_loops_train_alike_for_several_steps():
    options = parse(SIZES.split())
    config = make_config(options)
    components = assemble(config)
    plain = make_plain(components, options, torch.device("cpu"))
    start = copy.deepcopy(plain.generator.state_dict())
    ours = Ours(components, config, torch.device("cpu"))
    for _ in range(3):
        check_losses(plain(ours.batch.lr, ours.batch.hr), ours.step())
    trained = ours.stage.generator.plain.state_dict()
    for (name, value), other in zip(plain.generator.state_dict().items(), trained.values(), strict=True):
        assert_near(value, other, "trained otherwise", name)
        if name == "tail.weight":
            assert not torch.equal(value, start[name])


def test_the_step_is_compiled_where_that_is_asked_for():
    options = parse([*SIZES.split(), "--compile"])
    assert make_config(options).train.compile
    assert not make_config(parse(SIZES.split())).train.compile


def test_loops_that_differ_are_not_timed():
    with pytest.raises(SystemExit, match=r"d_true is 1 in the plain loop and 1\.1 in ours"):
        check_losses({"d_true": torch.tensor(1.0)}, {"d_true": torch.tensor(1.1)})


def test_the_check_knows_the_precision(capsys):
    loops = {"adversarial": torch.tensor(0.00119)}, {"adversarial": torch.tensor(0.00118)}
    assert check_losses(*loops, "bf16")
    with pytest.raises(SystemExit, match="adversarial"):
        check_losses(*loops)
    with pytest.raises(SystemExit, match="d_true"):
        check_losses({"d_true": torch.tensor(1.0)}, {"d_true": torch.tensor(1.1)}, "bf16")
    with fresh_state():
        main([*SIZES.split(), "--precision", "bf16"])
    assert "x the one with features in float32" in capsys.readouterr().out


def test_shares_are_of_the_whole_step():
    rates = {PLAIN: 2.0, OURS: 5.0, WHOLE: 4.0}
    results = [Result.of(name, "images/s", [rate]) for name, rate in rates.items()]
    results.append(Result.of("optimizers", "ms", [100.0]))
    assert summary(results, batch=2) == {"speedup": 2.5, "optimizers": 0.2}  # of half a second


def test_writes_rates_parts_and_shares(tmp_path, capsys):
    path = tmp_path / "x.json"
    main([*SIZES.split(), "--json", str(path)])
    written = json.loads(path.read_text())
    assert written["benchmark"] == "training_step"
    units = {r["name"]: r["unit"] for r in written["results"]}
    assert [n for n, u in units.items() if u == "images/s"] == [
        "plain loop",
        "our step",
        "our step with flips and LR",
    ]
    parts = {n for n, u in units.items() if u == "ms"}
    assert {"generator forward", "perceptual term", "optimizers", "flips and LR"} <= parts
    assert set(written["summary"]) == parts | {"speedup"}
    assert written["summary"]["speedup"] > 0
    assert set(written["first_step_losses"]) == {"d_true", "d_false", "perceptual", "adversarial"}
    assert "x the plain loop" in capsys.readouterr().out
