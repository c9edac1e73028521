import json
import math

import numpy as np
import pytest
from scipy import stats

from kornia_srgan.errors import UserError
from kornia_srgan.evaluation.statistics import HEADINGS, bootstrap_mean, compare_models
from tests.helpers.reports import report, row

BASE = [20, 24, 28, 22, 30, 26, 21, 25]


def test_the_interval_is_scipys():
    values = np.random.default_rng(1).normal(28, 3, 40)
    ours = bootstrap_mean(values, resamples=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(7)
    )
    assert ours.mean == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.05)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.05)


def test_the_seed_decides():
    values = np.random.default_rng(0).normal(size=10)
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3) != bootstrap_mean(values, seed=4)


def test_pairing_finds_what_spread_over_images_hides():
    """Images differ by 10 dB, the models by 0.1 on each of them."""
    found = compare_models(
        report(row("a", BASE), row("b", [v + 0.1 + 0.02 * (i % 3) for i, v in enumerate(BASE)])), "a"
    )
    b = next(c for c in found.comparisons if (c.model, c.metric) == ("b", "psnr"))
    assert b.mean.high - b.mean.low > 3
    assert b.verdict == "better"
    assert b.difference.mean == pytest.approx(0.1 + 0.02 * np.mean([i % 3 for i in range(8)]))
    assert 0.1 <= b.difference.low < b.difference.mean < b.difference.high <= 0.14 + 1e-9


def test_directions_and_unclear_differences():
    worse = [v - 1 for v in BASE]
    mixed = [v + (1 if i % 2 else -1) for i, v in enumerate(BASE)]
    rows = report(
        row("a", BASE),
        row("worse", worse, [7.0] * 8),
        row("better", mixed, [3.0 + 0.1 * i for i in range(8)]),
    )
    found = compare_models(rows, "a")
    verdicts = {(c.model, c.metric): c.verdict for c in found.comparisons}
    assert verdicts == {
        ("a", "psnr"): "",
        ("a", "niqe"): "",
        ("worse", "psnr"): "worse",
        ("worse", "niqe"): "worse",
        ("better", "psnr"): "unclear",
        ("better", "niqe"): "better",
    }
    markdown = rows.to_markdown(found).splitlines()
    assert markdown[2].endswith("| 24.50 / 5.00 |")
    assert markdown[3].endswith("| 23.50▼ / 7.00▼ |")
    assert markdown[4].endswith("| 24.50 / 3.35▲ |")


def test_few_images_have_no_mark():
    found = compare_models(report(row("a", BASE[:5]), row("b", [v + 1 for v in BASE[:5]])), "a")
    assert found.comparisons[2].verdict == "too few images"
    assert found.mark(report(row("b", BASE[:5])).rows[0], "psnr") == ""


def test_a_difference_that_is_not_there_is_rarely_found():
    """Equal models with noise on every image: one in twenty errs, as the level says, and not half."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        noise = rng.normal(0, 0.1, 30)
        found = compare_models(report(row("a", [25.0] * 30), row("b", 25 + noise)), "a", resamples=500)
        wrong += found.comparisons[2].verdict in ("better", "worse")
    assert 2 <= wrong <= 26  # 10 expected


def test_what_cannot_be_computed_is_left_out():
    found = compare_models(report(row("a", [*BASE, math.inf]), row("b", [math.nan, *BASE[1:], 20])), "a")
    (b,) = [c for c in found.comparisons if (c.model, c.metric) == ("b", "psnr")]
    assert b.images == 7
    assert b.difference.mean == 0


def test_rows_of_another_scale_are_not_compared():
    found = compare_models(report(row("a", BASE), row("b", BASE, scale=2)), "a")
    assert found.comparisons[2].difference is None


def test_a_row_that_is_not_there():
    with pytest.raises(UserError, match="no row is called 'edrs'; did you mean 'edsr'"):
        compare_models(report(row("edsr", BASE)), "edrs")


def test_tables_and_json():
    rows = report(row("a", BASE), row("b", [v + 1 + 0.1 * (i % 2) for i, v in enumerate(BASE)]))
    found = compare_models(rows, "a")
    lines = found.table()
    assert all(len(line) == len(HEADINGS) for line in lines)
    assert lines[2][6].startswith("+1.05 [+1.0")
    assert "95% interval" in found.note()
    content = json.loads(rows.to_json(found))["statistics"]
    assert content["against"] == "a"
    assert content["comparisons"][2]["verdict"] == "better"
