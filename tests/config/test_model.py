import pytest
import yaml

from kornia_srgan.config.io import _model_in, dump_config, load_config, parse_config, recipe_names
from kornia_srgan.config.model import TrainConfig
from kornia_srgan.errors import ConfigError

MINIMAL = {"generator": "edsr", "stages": [{"name": "one", "steps": 10, "losses": ["l1"]}]}


def with_changes(**changes):
    return {**MINIMAL, **changes}


@pytest.fixture
def write(tmp_path):
    def write_yaml(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
        return path

    return write_yaml


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_are_valid_and_survive_a_round_trip(name, write):
    config = load_config(name)
    assert config.summary, "a recipe says what it is"
    assert load_config(write(dump_config(config))) == config
    assert load_config(f"recipes/{name}.yaml") == config


def test_the_papers_recipe():
    config = load_config("srgan")
    assert [s.name for s in config.stages] == ["srresnet", "srgan"]
    assert config.stages[0].steps == 1_000_000
    assert config.train.lr == 1e-4
    gan = config.stages[1]
    assert gan.adversarial.weight == 1e-3
    assert gan.losses[0].args["feature_scale"] == pytest.approx(1 / 12.75)
    assert gan.schedule.milestones == (100_000,)


def test_short_form_of_components():
    config = parse_config(MINIMAL)
    assert config.generator.name == "edsr"
    assert config.stages[0].losses[0].weight == 1.0


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("train.lr=2e-4", lambda c: c.train.lr == 2e-4),
        ("stages.0.steps=7", lambda c: c.stages[0].steps == 7),
        ("train.ema_decay=.999", lambda c: c.train.ema_decay == 0.999),
        ("generator.args.channels=32", lambda c: c.generator.args == {"channels": 32}),
        ("data.resizer=kornia", lambda c: c.data.resizer.name == "kornia"),
        ("stages.0.losses.0.args.eps=1e-3", lambda c: c.stages[0].losses[0].args == {"eps": 1e-3}),
        ("stages.0.losses.0.weight=0.5", lambda c: c.stages[0].losses[0].weight == 0.5),
        ("plugins=[a.py, b]", lambda c: c.plugins == ("a.py", "b")),
        ("license=CC0-1.0", lambda c: c.license == "CC0-1.0"),
    ],
)
def test_overrides(write, override, read):
    assert read(load_config(write(MINIMAL), [override]))


def test_python_values_are_set_under_dotted_keys(write, tmp_path):
    assert load_config(write(MINIMAL), values={"data.folders": [tmp_path]}).data.folders == (tmp_path,)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (with_changes(generater="edsr"), r"mine\.yaml: generater: unknown key; did you mean 'generator'\?"),
        (  # not the generator that it lacks
            {"generater": "edsr", "stages": MINIMAL["stages"]},
            r"generater: unknown key; did you mean 'generator'\?",
        ),
        (
            with_changes(train={"batch_size": "many"}),
            r"batch_size: must be a whole number, got 'many'",
        ),
        (with_changes(train={"lrr": 1}), r"train\.lrr: unknown key; did you mean 'lr'\?"),
        (
            with_changes(stages=[{"name": "a", "steps": 1, "losses": ["l1"], "adversrial": "vanilla"}]),
            r"stages\.0\.adversrial: unknown key; did you mean 'adversarial'\?",
        ),
        (
            with_changes(stages=[{"name": "a", "losses": ["l1"]}]),
            r"stages\.0\.steps: required key is missing",
        ),
        (with_changes(train={"lr": -1}), r"train\.lr: .*greater than 0, got -1"),
        (with_changes(data={"crop": 97}), r"data\.crop 97 is not a multiple of scale 4; try 96"),
        (
            with_changes(stages=[{"name": "a", "steps": 1, "losses": ["l1"], "adversarial": "vanilla"}]),
            r"stages\.0: a GAN stage needs both .* add 'discriminator'",
        ),
        (with_changes(stages=MINIMAL["stages"] * 2), r"stages need different names; got one, one"),
        (with_changes(stages=[]), r"stages: "),
    ],
)
def test_wrong_configs_name_the_key(write, raw, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(write(raw))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.lr", "expected key=value"),
        ("stages.5.steps=1", "stages.5 must be an index from 0 to 0"),
        ("train.lr=[", "the value is not YAML"),
        ("train.lrr=1", "train.lrr: unknown key; did you mean 'lr'?"),
        ("stages.0.steps.x=1", "stages.0.steps is a value, not a section"),
    ],
)
def test_wrong_overrides(write, override, message):
    with pytest.raises(ConfigError) as caught:
        load_config(write(MINIMAL), [override])
    assert message in str(caught.value)


def test_missing_file_and_unknown_recipe(tmp_path):
    with pytest.raises(ConfigError, match="config file not found"):
        load_config(tmp_path / "no.yaml")
    with pytest.raises(ConfigError, match="unknown recipe 'srgn'; did you mean 'srgan'"):
        load_config("srgn")


def test_broken_yaml_names_the_line(write):
    with pytest.raises(ConfigError, match="line 2 is not valid YAML"):
        load_config(write("a: 1\nb: [1, }\n"))
    with pytest.raises(ConfigError, match="expected keys such as"):
        load_config(write("just text"))


def test_configs_are_frozen():
    config = parse_config(MINIMAL)
    with pytest.raises(Exception, match="frozen"):
        config.scale = 2


def test_every_key_is_described():
    """The recipes reference is made from these."""

    def undescribed(model, path=""):
        for name, field in model.model_fields.items():
            inner = _model_in(field.annotation)
            if inner:
                yield from undescribed(inner, f"{path}{name}.")
            elif not field.description:
                yield f"{path}{name}"

    assert list(undescribed(TrainConfig)) == []


def test_precision_no_may_be_written_without_quotes():
    config = load_config("tiny", ["train.precision=no"])
    assert config.train.precision == "no"


def test_given_values_are_not_changed(write):
    data = {"folders": ["photos"]}
    config = load_config(write(MINIMAL), values={"data": data, "data.crop": 32})
    assert (config.data.crop, data) == (32, {"folders": ["photos"]})
