import pickle
import random
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kornia_srgan.assembly import load_generator
from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.foreign import LAYOUTS, import_weights, is_foreign, read_foreign
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.layouts import CASES, Case, compact, leftthomas, msrresnet
from tests.helpers.tolerances import assert_near

SMALL = msrresnet("BasicSR", 4)


def made(case: Case) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return case.make()


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_every_layout_has_a_case():
    assert {case.name for case in CASES} == {layout.name for layout in LAYOUTS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name} x{case.scale}")
def test_computes_what_the_other_project_does(case, tmp_path):
    state = made(case)
    path = saved(tmp_path / "w.pth", state)
    imported = import_weights(path)
    assert imported.layout == case.name
    assert (imported.spec.name, imported.spec.scale) == (case.component, case.scale)
    assert imported.spec.args.items() >= case.args.items()
    assert (imported.tensors, imported.found_at, imported.left_out) == (len(state), "", ())
    lr = torch.rand(2, 3, 8, 12)
    with torch.no_grad():
        assert_near(load_generator(path).module(lr), case.forward(state, lr), "exported")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_layouts_do_not_claim_each_others_keys(layout):
    for case in CASES:
        keys = list(made(case))
        fits = not layout.unknown(keys) and not layout.missing(keys)
        assert fits == (layout.name == case.name)
        assert (layout.likeness(keys) == 1) == fits


def wrapped(state, **more):
    return {"module." + key: value for key, value in state.items()} | more


@pytest.mark.parametrize(
    ("wrap", "found_at", "left_out"),
    [
        (lambda s: {"params": s}, "params", 0),
        (lambda s: {"params": {"x": torch.zeros(1)}, "params_ema": s}, "params_ema", 1),
        (lambda s: {"epoch": 3, "best_psnr": 30.1, "state_dict": s}, "state_dict", 2),
        (lambda s: {"state_dict": wrapped(s), "optimizer": {"state": {}}}, "state_dict", 1),
        (wrapped, "", 0),
        (lambda s: {f"_orig_mod.{k}": v for k, v in s.items()}, "", 0),
        (
            lambda s: {
                "meta": {"iter": 1},
                "state_dict": {f"generator.{k}": v for k, v in s.items()}
                | {"discriminator.conv.weight": torch.zeros(1), "perceptual_loss.a": torch.zeros(1)},
            },
            "state_dict.generator",
            3,
        ),
        (
            lambda s: (
                {f"generator.{k}": v * 0 for k, v in s.items()}
                | {f"generator_ema.module.{k}": v for k, v in s.items()}
            ),
            "generator_ema",
            len(SMALL.make()),
        ),
        (lambda s: {"model": {"state_dict": s}}, "model.state_dict", 0),
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_containers_and_prefixes(wrap, found_at, left_out, legacy, tmp_path):
    state = made(SMALL)
    path = tmp_path / "w.pth.tar"
    torch.save(wrap(state), path, _use_new_zipfile_serialization=not legacy)
    imported = import_weights(path)
    assert imported.found_at == found_at
    assert len(imported.left_out) == left_out
    torch.testing.assert_close(imported.state["conv_first.weight"], state["conv_first.weight"])


def test_foreign_safetensors_and_half_precision(tmp_path):
    state = made(SMALL)
    path = tmp_path / "w.safetensors"
    save_file({key: value.half() for key, value in state.items()}, path)
    loaded = load_generator(path)
    lr = torch.rand(1, 3, 6, 6)
    assert loaded.module(lr).dtype == torch.float32
    assert_near(loaded.module(lr), SMALL.forward(state, lr), torch.float16)


def test_report(tmp_path):
    path = saved(tmp_path / "w.pth", {"params": made(SMALL), "epoch": 3})
    assert import_weights(path).report() == [
        "layout:    BasicSR MSRResNet",
        "tensors:   22 in 'params', all used",
        "generator: msrresnet x4 (channels=5, num_blocks=3, upsample_activation=True)",
        "left out:  1 other entry (epoch)",
    ]


def test_spec_says_where_it_came_from(tmp_path):
    spec, state = read_foreign(saved(tmp_path / "w.pth", {"params": made(SMALL)}))
    assert spec.training == {"imported_from": "w.pth", "layout": "BasicSR MSRResNet", "tensors_at": "params"}
    assert spec.license == ""
    assert set(state) == set(load_generator(tmp_path / "w.pth").module.state_dict())


def error_of(path: Path) -> str:
    with pytest.raises(WeightsError) as error:
        import_weights(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_unknown_keys_name_the_closest(tmp_path):
    state = made(SMALL)
    state["attention.weight"] = state.pop("conv_hr.weight")
    message = error_of(saved(tmp_path / "w.pth", state))
    assert "closest: BasicSR MSRResNet (21 of 22 keys known, not 'attention.weight')" in message
    assert all(layout.name in message for layout in LAYOUTS)


def test_nothing_in_common_lists_all(tmp_path):
    message = error_of(saved(tmp_path / "w.pth", {"transformer.h.0": torch.zeros(1)}))
    assert "first key 'transformer.h.0'" in message
    assert "Known: leftthomas/SRGAN, " in message


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s | {"conv_first.weight": torch.zeros(5, 1, 3, 3)}, "takes 1 channels and gives 3"),
        (lambda s: s | {"conv_last.weight": torch.zeros(1, 5, 3, 3)}, "takes 3 channels and gives 1"),
        (lambda s: s | {"upconv1.weight": torch.zeros(23, 5, 3, 3)}, "is not a pixel shuffle to 5"),
        (
            lambda s: {k.replace("body.1.", "body.9."): v for k, v in s.items()},
            r"'body.N' are numbered \[0, 2, 9\]",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_explained(change, reason, tmp_path):
    path = saved(tmp_path / "w.pth", change(made(SMALL)))
    with pytest.raises(WeightsError, match=f"w.pth looks like BasicSR MSRResNet, but .*{reason}"):
        import_weights(path)


def test_one_tensor_of_another_shape_is_named_on_loading(tmp_path):
    path = saved(tmp_path / "w.pth", made(SMALL) | {"body.1.conv1.weight": torch.zeros(5, 5, 1, 1)})
    with pytest.raises(WeightsError, match=r"'body.1.conv1.weight': \(5, 5, 1, 1\) in the file"):
        load_generator(path)


def test_compact_without_prelu_says_that_it_cannot_know(tmp_path):
    path = saved(tmp_path / "w.pth", {k: v for k, v in made(compact(4)).items() if v.ndim > 1 or "bias" in k})
    assert "only files with PReLU" in error_of(path)


@pytest.mark.parametrize("case", {case.name: case for case in CASES}.values(), ids=lambda case: case.name)
def test_whatever_is_wrong_with_a_tensor_is_one_line(case, tmp_path):
    """A key that is missing, doubled or renumbered, a tensor of a strange shape: never another exception."""
    state = made(case)
    rng = random.Random(0)
    path = tmp_path / "w.pth"
    # Statistics and what SPAN folds anew need not be there.
    keys = [k for k in state if not k.endswith("num_batches_tracked") and ".eval_conv." not in k]
    for key in rng.sample(keys, 3):
        value = state[key]
        more = re.sub(r"\d+", lambda m: str(int(m[0]) + 1), key) + "x"
        without = {k: v for k, v in state.items() if k != key}
        changes = [
            without | {more: value},
            state | {more: value},
            state | {key: torch.tensor(1.0)},
            state | {key: value[:0]},
            state | {key: torch.cat([value, value])},
        ]
        if not key.endswith(".bias"):  # a bias before BatchNorm need not be there
            changes.append(without)
        for changed in changes:
            torch.save(changed, path)
            with pytest.raises(WeightsError) as error:
                load_generator(path)
            assert "\n" not in str(error.value)


def test_two_layers_that_would_be_one_are_refused(tmp_path):
    state = made(CASES[0])
    state["block8.3.weight"] = state["block8.2.weight"]
    assert "is one layer too many" in error_of(saved(tmp_path / "w.pth", state))


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


class Innocent:
    """Stands for the argparse.Namespace, numpy scalars and configs that checkpoints carry."""


@pytest.mark.parametrize("legacy", [False, True])
def test_a_malicious_pickle_is_refused_and_not_run(legacy, tmp_path):
    trace = tmp_path / "it-was-run"
    path = tmp_path / "w.pth"
    content = {"params": made(SMALL), "x": Malicious(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    for read in (import_weights, load_generator):
        with pytest.raises(WeightsError, match=r"w.pth is refused: its pickle asks for '.*', which") as error:
            read(path)
        assert "\n" not in str(error.value)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # the file is one that would do harm


def test_a_plain_malicious_pickle_is_refused(tmp_path):
    path, trace = tmp_path / "w.pth", tmp_path / "it-was-run"
    path.write_bytes(pickle.dumps(Malicious(trace), protocol=2))
    error_of(path)
    assert not trace.exists()


EMA_NAMES = (
    "params_ema",
    "params-ema",
    "generator_ema",
    "netG_ema",
    "G_ema",
    "ema_state_dict",
    "model_ema",
    "ema",
    "EMA",
)


@pytest.mark.parametrize("name", EMA_NAMES)
def test_the_average_is_taken_under_all_its_names(name, tmp_path):
    state = made(SMALL)
    zeros = {key: value * 0 for key, value in state.items()}
    for plain in ("params", "state_dict", "generator", "model"):
        content = {plain: zeros, name: state, "epoch": 1}
        assert import_weights(saved(tmp_path / "w.pth", content)).found_at == name
    prefixed = {f"{name}.{k}": v for k, v in state.items()} | {f"generator.{k}": v for k, v in zeros.items()}
    imported = import_weights(saved(tmp_path / "w.pth", prefixed))
    assert imported.found_at == name
    assert imported.state["conv_first.weight"].abs().max() > 0


def test_figures_of_numpy_are_no_reason_to_refuse(tmp_path):
    figures = {
        "psnr": np.float64(31.4),
        "ssim": np.float32(0.9),
        "step": np.int64(7),
        "best": np.bool_(True),
        "curve": np.zeros((2, 3)),
        "names": np.array(["a", "b"]),
    }
    content = {"params": made(SMALL), "epoch": 3, "figures": figures, "loss": np.float64(0.5)}
    path = saved(tmp_path / "w.pth", content)
    assert import_weights(path).left_out == ("epoch", "figures", "loss")
    old = path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy" in old
    torch.save(content, path, _use_new_zipfile_serialization=False)  # not zipped: the names can be changed
    path.write_bytes(path.read_bytes().replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray"))
    assert import_weights(path).tensors == len(made(SMALL))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4f\nsize 67\n",
            "is a Git LFS pointer, .*`git lfs pull`",
        ),
        (
            b"\n<!DOCTYPE html><html><title>Sign in</title>",
            "is a web page saved under that name, not weights",
        ),
        (b"<html>", "is a web page"),
        (b'{"error": "not found"}', "is a text of JSON, not weights"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file; give the PyTorch or safetensors file"),
        (b"\x1f\x8b\x08 and so on", "is a gzip archive; unpack it"),
    ],
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_what_is_named_as_weights_and_is_none_is_named(content, said, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    if content.startswith(b"{") and name == "w.safetensors":
        said = "is not a safetensors file"
    for read in (import_weights, load_generator):
        with pytest.raises(WeightsError, match=said if read is load_generator else "w\\."):
            read(path)


def test_objects_besides_tensors_are_refused_by_name(tmp_path):
    message = error_of(saved(tmp_path / "w.pth", {"state_dict": made(SMALL), "args": Innocent()}))
    assert "asks for 'tests.weights.test_foreign.Innocent'" in message


def test_files_that_are_no_weights(tmp_path):
    path = tmp_path / "w.pth"
    for content in (
        b"",
        b"PK\x03\x04 and then nothing of a zip",
        b"hello",
        saved(path, {}).read_bytes()[:200],
    ):
        path.write_bytes(content)
        assert "fetch it again" in error_of(path)
    saved(path, {"epoch": 3, "args": [1]})
    assert "holds no state dict of tensors; it holds: epoch, args" in error_of(path)
    saved(path, torch.zeros(3))
    assert "it holds: Tensor" in error_of(path)
    with zipfile.ZipFile(path, "w") as archive:  # what torch.jit.save writes, as far as it is looked at
        archive.writestr("w/constants.pkl", b"")
        archive.writestr("w/data.pkl", b"")
    assert "TorchScript program" in error_of(path)
    with pytest.raises(WeightsError, match=r"nowhere.pth' not found"):
        import_weights(tmp_path / "nowhere.pth")


def test_what_is_foreign(tmp_path):
    pth, other, own = tmp_path / "a.pth", tmp_path / "b.safetensors", tmp_path / "c.safetensors"
    saved(pth, made(SMALL))
    save_file(made(SMALL), other)
    save_weights(own, made(SMALL), WeightSpec("msrresnet", {}, 4))
    assert is_foreign(pth)
    assert is_foreign(other)
    assert not is_foreign(own)
    own.write_bytes(own.read_bytes()[:-1])
    assert not is_foreign(own)  # so that loading says that it is truncated
    assert not is_foreign(tmp_path / "nowhere")


def test_the_sample_of_leftthomas_has_its_layout():
    keys = set(made(leftthomas(4, "prelu", tracked=False)))
    assert {"block1.0.weight", "block7.1.weight", "block8.2.bias"} <= keys
