"""What the forward benchmark measures and reports; no test looks at how long anything took."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from kornia_srgan.benchmarking import cost, engines, forward, subjects
from kornia_srgan.benchmarking.agreement import difference
from kornia_srgan.benchmarking.cost import count_flops, count_plain_flops, matmul_rate
from kornia_srgan.benchmarking.engines import Engine, ForwardPass, Network, find_engines, set_up_own
from kornia_srgan.benchmarking.forward import _inputs
from kornia_srgan.benchmarking.peak_memory import CPU_METHOD, memory_method
from kornia_srgan.benchmarking.plan import Plan
from kornia_srgan.benchmarking.subjects import find_subjects, parse_size
from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.errors import ArgumentError, UserError
from kornia_srgan.optimize.optimize import optimize_for_inference
from kornia_srgan.optimize.rewrites import folded_copy
from kornia_srgan.registry.catalog import GENERATORS
from tests.helpers.documents import SMALL_EDSR, Broken, Dreaming, Picky, Shuffle, measure
from tests.helpers.names import generator_names

CPU = torch.device("cpu")


@pytest.fixture
def registry():
    with GENERATORS.temporary():
        yield GENERATORS


def test_every_input_is_a_case_and_every_engine_a_run():
    plan = Plan(
        sizes=[(5, 7)], batches=[1, 2], dtypes=["fp32", "bf16", "float32"],
        memory_formats=["channels_last", "contiguous"], repeats=3, warmup=1,
    )  # fmt: skip
    document = measure(SMALL_EDSR, plan=plan, engines=find_engines(["eager"]))
    inputs = [(c.height, c.width, c.batch, c.dtype, c.memory_format) for c in document.cases]
    assert len(set(inputs)) == len(inputs) == 2 * 2 * 2  # fp32 and float32 are one
    assert inputs[0] == (5, 7, 1, "float32", "channels_last")
    assert all([r.engine for r in c.runs] == ["kornia_srgan", "eager"] for c in document.cases)
    assert len(document.results) == 2 * len(inputs)
    for case in document.cases:
        own, eager = case.runs
        for run in case.runs:
            speed = document.speed(run)
            assert run.status == "ok"
            assert speed.unit == "MP/s"
            assert len(speed.values) == 3
            assert 0 < speed.q1 <= speed.median <= speed.q3
        assert own.ratio is None
        assert eager.ratio == document.speed(own).median / document.speed(eager).median
        assert eager.relative_difference < (1e-5 if case.dtype == "float32" else 0.1)


def test_speed_and_fraction_belong_to_the_output_and_the_flops():
    document = measure("edsr:channels=4,num_blocks=1", plan=Plan(sizes=[(6, 5)], batches=[3], repeats=1))
    (case,) = document.cases
    (run,) = case.runs
    seconds = 3 * 24 * 20 / 1e6 / document.speed(run).median
    assert case.parameters == sum(
        p.numel() for p in find_subjects([SMALL_EDSR])[0].load().module.parameters()
    )
    expected = run.flops / seconds / document.matmul_flops_per_second["float32"]
    assert run.matmul_fraction == pytest.approx(expected)
    assert run.effective_fraction == pytest.approx(expected * case.flops / run.flops)


def test_branches_of_training_are_not_counted():
    name = "edge_resnet:channels=4,num_blocks=1"
    (case,) = measure(name, plan=Plan(sizes=[(6, 5)], repeats=1)).cases
    single = folded_copy(find_subjects([name])[0].load().module)
    assert case.parameters == sum(p.numel() for p in single.parameters())


def test_a_speed_is_megapixels_of_output_over_seconds(monkeypatch):
    monkeypatch.setattr(forward, "seconds_of", lambda call, device: 0.5)
    document = measure(SMALL_EDSR, plan=Plan(sizes=[(6, 5)], batches=[3], repeats=1))
    assert document.results[0].median == pytest.approx(3 * 24 * 20 / 1e6 / 0.5)


def test_each_engine_is_warmed_up_and_then_measured():
    calls = []

    def start(work):
        module = work.plain
        return lambda: (calls.append(torch.is_inference_mode_enabled()), module(work.images))[1]

    measure(
        SMALL_EDSR, plan=Plan(sizes=[(4, 4)], repeats=2, warmup=3), engines=[Engine("it", ("torch",), start)]
    )
    assert calls == [True] * (3 + 2)


@pytest.mark.parametrize("optimized", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("compiled", [True, False])
def test_this_packages_run_is_what_was_asked_for(optimized, channels_last, compiled, monkeypatch):
    through, asked = [], []
    monkeypatch.setattr(torch, "compile", lambda module, **options: through.append(module) or module)
    monkeypatch.setattr(
        forward, "set_up_own", lambda work, **how: asked.append(how) or set_up_own(work, **how)
    )
    memory_format = "channels_last" if channels_last else "contiguous"
    plan = Plan(
        sizes=[(4, 4)], repeats=1, optimized=optimized, compiled=compiled, memory_formats=[memory_format]
    )
    (case,) = measure("srresnet:channels=8,num_blocks=1", plan=plan).cases
    how = {"optimized": optimized, "channels_last": channels_last, "compiled": compiled, "engine": "torch"}
    assert asked == [how]
    assert (case.optimized, case.memory_format, case.compiled) == (optimized, memory_format, compiled)

    network = Network(find_subjects(["srresnet:channels=8,num_blocks=1"])[0].load())
    own = set_up_own(ForwardPass(network, torch.rand(1, 3, 4, 4)), **how)
    assert through == ([through[0], own.module] if compiled else [])
    assert any(isinstance(m, nn.BatchNorm2d) for m in own.module.modules()) is not optimized
    for tensor in (own.images, next(p for p in own.module.parameters() if p.ndim == 4)):
        assert tensor.is_contiguous() is not channels_last


def test_the_best_matrix_product_of_the_run_counts(monkeypatch):
    rates = iter([1e9, 5e9, 3e9])  # before the first case, and after each
    monkeypatch.setattr(forward, "matmul_rate", lambda device, dtype: next(rates))
    document = measure(SMALL_EDSR, plan=Plan(sizes=[(4, 4), (5, 5)], repeats=1))
    assert document.matmul_flops_per_second == {"float32": 5e9}
    assert next(rates, None) is None


def test_memory_is_that_of_each_engines_first_forward(monkeypatch):
    peaks = iter([7.0, 9.0])
    monkeypatch.setattr(forward, "peak_memory", lambda call, device: (call(), next(peaks)))
    (case,) = measure(SMALL_EDSR, engines=find_engines(["eager"])).cases
    assert [run.peak_memory_mib for run in case.runs] == [7.0, 9.0]


def test_differences_are_relative_to_the_largest_value():
    found = difference(torch.tensor([2.0, -8.0]), torch.tensor([2.0, -10.0]))
    assert found == pytest.approx((2.0, 0.2))


def test_the_rate_of_the_matrix_product(monkeypatch):
    monkeypatch.setattr(cost, "_CPU_SIDES", (10, 20))
    seconds = iter([9.0, 4e-6, 2e-6, 9.0, 32e-6, 64e-6])  # the first of each is its warm-up
    monkeypatch.setattr(cost, "seconds_of", lambda call, device: next(seconds))
    before = torch.get_float32_matmul_precision()
    assert matmul_rate(CPU, repeats=2) == pytest.approx(2 * 10**3 / 2e-6)  # the larger one is slower
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("name", generator_names())
def test_every_generator_gives_the_image_of_the_plain_module(name):
    small = {"channels": 4, "num_blocks": 1, "num_convs": 1, "growth_channels": 2}
    known = GENERATORS.get(name).parameters()
    arguments = ",".join(f"{k}={v}" for k, v in small.items() if k in known)
    for scale in (2, 4):
        document = measure(f"{name}:{arguments}", engines=find_engines(["eager"]), scale=scale)
        own, eager = document.cases[0].runs
        assert (own.status, eager.status, own.error, eager.error) == ("ok", "ok", "", "")
        assert eager.relative_difference < 1e-4
        assert own.flops > 0
        assert eager.flops > 0


class TestFailures:
    def test_what_cannot_be_made_or_run_is_failed_and_the_rest_goes_on(self, registry):
        for name, made in {"broken": Broken, "picky": Picky, "dreaming": Dreaming, "mine": Shuffle}.items():
            registry.register(name)(made)
        plan = Plan(sizes=[(4, 4), (4, 9)], repeats=1, warmup=1)
        engines = find_engines(["eager"])
        document = measure("broken", "picky", "dreaming", "mine", plan=plan, engines=engines)
        found = [[(r.status, r.error) for r in case.runs] for case in document.cases]
        away, wide = ("failed", "its licence server is away"), ("failed", "too wide")
        ok, dream = ("ok", ""), ("failed", "its output is not finite")
        assert found == [[away] * 2] * 2 + [[ok] * 2, [wide] * 2] + [[dream] * 2] * 2 + [[ok] * 2] * 2
        assert document.cases[0].label == "broken x4, 1x4x4, float32"
        assert document.cases[2].runs[0].flops == 2 * 16 * 9 * 3 * 48  # counted on a real image

    def test_an_input_that_does_not_fit_is_failed_and_the_rest_goes_on(self):
        plan = Plan(sizes=[(10**8, 10**8), (4, 4)], repeats=1)
        large, small = measure(SMALL_EDSR, plan=plan, engines=find_engines(["eager"])).cases
        assert [(r.engine, r.status) for r in large.runs] == [("kornia_srgan", "failed"), ("eager", "failed")]
        assert all(r.error and r.version for r in large.runs)
        assert [r.status for r in small.runs] == ["ok", "ok"]

    @pytest.mark.parametrize(
        ("change", "error"),
        [(lambda x: x + 0.1, "differs from kornia_srgan's by"), (lambda x: x[..., :-1], "it gave (1, 3,")],
    )
    def test_another_image_is_not_the_same_work(self, change, error):
        def start(work):
            module = work.plain
            return lambda: change(module(work.images))

        own, other = measure(SMALL_EDSR, engines=[Engine("other", ("torch",), start)]).cases[0].runs
        assert own.status == "ok"
        assert other.status == "failed"
        assert error in other.error
        assert other.version == torch.__version__.partition("+")[0] or other.version == torch.__version__

    def test_a_failure_while_measuring_is_reported(self):
        calls = []

        def start(work):
            module = work.plain

            def forward():
                calls.append(1)
                if len(calls) > 1:
                    raise MemoryError
                return module(work.images)

            return forward

        document = measure(SMALL_EDSR, engines=[Engine("tired", ("torch",), start)])
        assert [r.error for r in document.cases[0].runs] == ["MemoryError"] * 2
        assert document.results == ()


class TestSubjects:
    def test_all_generators_where_none_is_named(self, registry, monkeypatch):
        monkeypatch.setattr(subjects, "load_entry_points", lambda: registry.register("mine")(Shuffle))
        assert "mine" in [s.label for s in find_subjects()]
        monkeypatch.undo()
        own = [name for name in registry.names() if name not in ("spandrel", "timm_backbone")]
        assert [s.label for s in find_subjects()] == own

    def test_arguments_and_scale(self):
        loaded = find_subjects(["srresnet:channels=4,num_blocks=1,output=unit"], scale=2)[0].load()
        assert (loaded.spec.scale, loaded.spec.args["channels"], loaded.spec.args["output"]) == (2, 4, "unit")

    def test_weights(self):
        (subject,) = find_subjects(weights=["edsr-x4"])
        assert (subject.label, subject.kind) == ("edsr-x4", "weights")

    def test_one_of_a_kind(self):
        assert len(find_subjects(["edsr", "EDSR", "edsr:channels=8"])) == 2

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"generators": ["edrs"]}, "did you mean 'edsr'"),
            ({"generators": ["edsr:channels"]}, "NAME:ARGUMENT=VALUE"),
            ({"generators": ["edsr:=3"]}, "NAME:ARGUMENT=VALUE"),
            ({"generators": ["edsr:channels=["]}, r"edsr:channels=\[: '\[' is not a value"),
            ({"weights": ["edsr-x5"]}, "did you mean 'edsr-x4'"),
        ],
    )
    def test_what_is_not_there_is_said_before_anything_runs(self, options, message):
        with pytest.raises(UserError, match=message):
            find_subjects(**options)

    def test_untrained_networks_answer_in_the_range_of_images(self):
        net = find_subjects(["srresnet:channels=16,num_blocks=8"])[0].load().module
        assert not net.training
        with torch.no_grad():
            assert net(torch.rand(1, 3, 16, 16)).abs().max() < 20
        norm = next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d))
        assert norm.momentum == 0.1
        assert not torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean))

    def test_sizes(self):
        assert [parse_size(text) for text in ("128", "180x320")] == [(128, 128), (180, 320)]
        for text in ("0", "12x", "x", "big"):
            with pytest.raises(UserError, match="HEIGHTxWIDTH"):
                parse_size(text)


def test_flops_are_those_counted_by_hand():
    net = SRResNet(scale=2, channels=4, num_blocks=1).eval()
    images = torch.rand(1, 3, 5, 7)
    at_lr = 9 * 9 * 3 * 4 + 3 * (3 * 3 * 4 * 4) + 3 * 3 * 4 * 16  # head, block and body end, upsampling
    tail = 4 * (9 * 9 * 4 * 3)  # four HR pixels for each LR pixel
    assert count_flops(net, images) == count_plain_flops(net, images) == 2 * 35 * (at_lr + tail)
    before_the_shuffle = 5 * 5 * 16 * 12
    assert count_flops(optimize_for_inference(net), images) == 2 * 35 * (at_lr + before_the_shuffle)


def test_work_that_is_saved_is_not_counted_but_effective():
    document = measure("srresnet:channels=8,num_blocks=1", plan=Plan(sizes=[(6, 6)], repeats=1))
    (case,) = document.cases
    own = case.runs[0]
    tail, before_the_shuffle = 4 * 9 * 9 * 8 * 3, 5 * 5 * 32 * 12  # for each pixel before the last shuffle
    assert case.flops - own.flops == 2 * 4 * 36 * (tail - before_the_shuffle)
    assert own.effective_fraction / own.matmul_fraction == pytest.approx(case.flops / own.flops)


MEASURED_ALONE = """
import torch
from kornia_srgan.benchmarking.peak_memory import peak_memory

def takes(mebibytes):
    def call():
        a = torch.ones(mebibytes << 18)
        return (a + 1)[:1].clone()  # twice the memory at its peak, none after it
    return call

torch.ones(300 << 18)  # a higher peak before
for mebibytes in (64, 16, 64):
    result, peak = peak_memory(takes(mebibytes), torch.device("cpu"))
    print(result.item(), peak)
"""


@pytest.mark.skipif(memory_method(CPU) != CPU_METHOD, reason="this system does not say")
def test_peak_memory_is_that_of_the_call_alone():
    # In a process of its own: where an earlier test ran out of memory on purpose, glibc keeps what is freed.
    run = subprocess.run([sys.executable, "-c", MEASURED_ALONE], capture_output=True, text=True, check=True)
    lines = [[float(word) for word in line.split()] for line in run.stdout.splitlines()]
    assert [result for result, _ in lines] == [2, 2, 2]
    for (_, peak), mebibytes in zip(lines, (64, 16, 64), strict=True):
        assert 2 * mebibytes - 4 < peak < 2 * mebibytes + 16


@pytest.mark.parametrize(("mixes", "expected"), [(False, "float32"), (True, "auto")])
def test_auto_dtype_goes_by_the_device(mixes, expected, monkeypatch):
    monkeypatch.setattr(forward, "mixes_precision", lambda device: device.type == "cpu" and mixes)
    draft = next(_inputs(find_subjects(["edsr"])[0], None, Plan(dtypes=["auto"]), torch.device("cuda")))
    assert draft["dtype"] == "float16"
    draft = next(_inputs(find_subjects(["edsr"])[0], None, Plan(dtypes=["auto"]), torch.device("cpu")))
    assert draft["dtype"] == expected


@pytest.mark.parametrize("how", [{"compiled": True}, {"optimized": False}])
def test_what_only_torch_does_is_refused_for_other_engines(how):
    with pytest.raises(ArgumentError, match="for the engine torch, not auto"):
        Plan(sizes=[(5, 7)], engine="auto", **how)


def test_auto_is_what_the_upscaler_computes(monkeypatch):
    asked = []

    def optimized(module, **kwargs):
        asked.append(kwargs["dtype"])
        return module

    monkeypatch.setattr(forward, "mixes_precision", lambda device: True)
    monkeypatch.setattr(engines, "optimize_for_inference", optimized)
    plan = Plan(sizes=[(5, 7)], dtypes=["auto"], repeats=1, warmup=1)
    (case,) = measure(SMALL_EDSR, plan=plan).cases
    assert (case.dtype, case.runs[0].status, asked) == ("auto", "ok", ["auto"])
    assert ", auto" in case.label
