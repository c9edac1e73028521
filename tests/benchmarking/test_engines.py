"""The other engines run the same network; one that is not installed is said so."""

import re
import tomllib

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kornia_srgan.benchmarking import engines
from kornia_srgan.benchmarking.cost import count_plain_flops
from kornia_srgan.benchmarking.plan import Plan
from kornia_srgan.benchmarking.subjects import find_subjects
from kornia_srgan.benchmarking.tables import table_rows
from kornia_srgan.engines import choice
from kornia_srgan.engines.onnx_generator import OnnxGenerator
from kornia_srgan.errors import MissingExtraError, UserError
from tests.helpers.documents import SMALL_EDSR, measure
from tests.helpers.extras import pretend_missing
from tests.helpers.snippets import ROOT


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_engines_that_read_onnx(name):
    for package in engines.ENGINES[name].packages:
        pytest.importorskip(package)
    plan = Plan(sizes=[(5, 7)], dtypes=["float32", "float16"], repeats=2, warmup=1)
    document = measure(SMALL_EDSR, plan=plan, engines=engines.find_engines([name]))
    assert [case.dtype for case in document.cases] == ["float32", "float16"]
    for case in document.cases:
        run = case.runs[1]
        assert run.version
        if case.dtype == "float32":
            assert (run.status, run.error) == ("ok", "")
            assert run.relative_difference < 1e-5
        else:
            assert run.error == f"{name} is not measured in float16"


@pytest.mark.parametrize(("chosen", "told"), [("openvino", "openvino"), ("torch", "torch")])
def test_what_computes_is_what_the_upscaler_would_take(chosen, told, monkeypatch, tmp_path):
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(choice, "installed_engines", lambda: ["openvino"])
    fast = OnnxGenerator if chosen == "openvino" else torch.nn.Module
    monkeypatch.setattr(choice, "_seconds", lambda net, dtype: 1.0 if isinstance(net, fast) else 2.0)
    plan = Plan(sizes=[(5, 7)], dtypes=["float32", "bfloat16"], repeats=1, warmup=1, engine="auto")
    document = measure(SMALL_EDSR, plan=plan, engines=engines.find_engines(["eager"]))
    for case in document.cases:
        own, eager = case.runs
        assert (own.status, own.error, own.computed_by) == ("ok", "", told)
        assert eager.relative_difference < (1e-5 if case.dtype == "float32" else 0.1)
        assert "engine auto" in case.label
    rows = "\n".join(" ".join(row) for row in table_rows(document))
    assert ("(openvino)" in rows) == (told == "openvino")


def test_eager_is_the_plain_module_in_nchw():
    network = engines.Network(find_subjects(["srresnet:channels=8,num_blocks=1"])[0].load())
    images = torch.rand(1, 3, 6, 5).to(memory_format=torch.channels_last)
    run = engines.ENGINES["eager"].start(engines.ForwardPass(network, images))
    with FlopCounterMode(display=False) as counter:
        output = run()
    assert output.is_contiguous()
    assert counter.get_total_flops() == count_plain_flops(network.module, images)


def test_spandrel_runs_the_architectures_that_it_has():
    pytest.importorskip("spandrel")
    names = ("compact:channels=4,num_convs=1", "rrdb:num_blocks=1,channels=8", SMALL_EDSR)
    document = measure(*names, engines=engines.find_engines(["spandrel"]))
    compact, rrdb, edsr = (case.runs[1] for case in document.cases)
    for run in (compact, rrdb):
        assert (run.status, run.error) == ("ok", "")
        assert run.relative_difference < 1e-5
    assert edsr.error == "spandrel has no such architecture"


def test_a_missing_package_names_the_extra(monkeypatch):
    pretend_missing(monkeypatch, "onnx")
    with pytest.raises(MissingExtraError, match=r"needs onnx.* not installed; run: pip install"):
        engines.find_engines(["eager", "openvino"])
    assert [e.name for e in engines.find_engines(["eager", "eager"])] == ["eager"]


def test_an_unknown_engine():
    with pytest.raises(UserError, match="did you mean 'openvino'"):
        engines.find_engines(["open-vino"])


def test_the_extra_has_what_the_engines_need():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extra = {re.split(r"[^\w-]", text)[0] for text in project["optional-dependencies"][engines.EXTRA]}
    assert extra == {package for e in engines.ENGINES.values() for package in e.packages} - {"torch"}
