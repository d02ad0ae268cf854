"""Studies of small systems: sound samplers pass, wrong ones and wrong answers do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from trajsim import DickeJump, Lattice, Lindblad, QuantumJump, TruncatedWigner, catalog, grid, initial
from trajsim import observables as record
from trajsim import records as kept
from trajsim.convergence import Report, Study, study
from trajsim.convergence.figure import draw_report
from trajsim.convergence.truth import best_reference, solve_on_grid
from trajsim.errors import InputError, UnsupportedError
from trajsim.references.permutation import Permutation
from trajsim.terms import Term

DOWN, WINDOW = initial.Product("-z"), grid.SteadyState(1.0, 2.0, 0.5)
RING = catalog.dissipative_xyz(Lattice.chain(4), 0.9, 1.8, 1.0)
SMALL = Study(trajectories=1024, paths=32, until=1.0)
SEEN = [record.Magnetisation(), record.Correlation(("xx", "zz")), record.JumpCounts()]


def failed(report: Report) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


def dimer(S: float) -> Any:
    return catalog.gain_loss_chain(1, S, 1.0, 0.0, 1.0, 1.0, periodic=False)


@pytest.fixture(scope="module")
def sound() -> Report:
    return study(RING, QuantumJump(), DOWN, WINDOW, SEEN, SMALL, seed=1)


def test_quantum_jump_passes(sound: Report) -> None:
    assert failed(sound) == set()
    assert [c.name for c in sound.checks] == [
        "judged components", "largest |z|", "slope", "coverage", "error / tolerance", "order, trajectory"
    ]  # fmt: skip
    assert (sound.method, sound.truth.reference, sound.trajectories) == ("quantum_jump", "lindblad", 1024)
    assert len(sound.labels) == len(sound.exact) == len(sound.scores.z) == 3 + 2 * 4 + 1
    assert sound.labels[0] == "magnetisation x"
    methods = {cost.method: cost for cost in sound.costs}
    assert list(methods) == ["quantum_jump", "truncated_wigner", "quantum_jump, momentum", "lindblad"]
    assert methods["truncated_wigner"].left_out == ("jump_counts",)
    assert methods["quantum_jump, momentum"].left_out == ()


def test_a_study_is_a_function_of_its_seed(sound: Report) -> None:
    again = study(RING, QuantumJump(), DOWN, WINDOW, SEEN, SMALL, seed=1)
    assert [c.value for c in again.checks] == [c.value for c in sound.checks]
    assert sound.decay is not None
    other = study(RING, QuantumJump(), DOWN, WINDOW, SEEN[:2], SMALL, seed=2)
    assert other.decay is not None
    assert other.decay.slope != sound.decay.slope
    biased = next(cost for cost in other.costs if cost.method == "truncated_wigner")
    assert biased.bias > 0.05  # of spins 1/2
    assert biased.seconds == np.inf


@dataclass(frozen=True)
class Wrong(Lindblad):
    """The exact answer of a model whose decay is too fast."""

    def evolve(self, _: Any, start: Any, times: Sequence[float], observables: Any) -> xr.Dataset:
        faster = catalog.dissipative_xyz(Lattice.chain(4), 0.9, 1.8, 1.0, gamma=1.7)
        return super().evolve(faster, start, times, observables)


def test_a_wrong_reference_fails() -> None:
    report = study(RING, QuantumJump(), DOWN, WINDOW, SEEN, SMALL, seed=1, reference=Wrong())
    assert failed(report) == {"largest |z|", "slope", "coverage"}
    assert not report.passed


@dataclass(frozen=True)
class Careless(QuantumJump):
    """Takes the root of the tolerance that it was given."""

    def compile(self, *arguments: Any, **more: Any) -> Any:
        return replace(QuantumJump(), tolerance=0.3 * self.tolerance**0.5).compile(*arguments, **more)


def test_a_sampler_of_half_the_order_fails() -> None:
    settings = SMALL.model_copy(update={"steps": (10.0 ** -np.linspace(3, 11, 25)).tolist()})
    report = study(RING, Careless(1e-8), DOWN, WINDOW, SEEN, settings, seed=1)
    assert "order, trajectory" in failed(report)


@dataclass(frozen=True)
class Sluggish(TruncatedWigner):
    """Takes no shorter step than 0.1, whatever it was given: the order is zero."""

    def compile(self, *arguments: Any, **more: Any) -> Any:
        return replace(TruncatedWigner(), time_step=0.05).compile(*arguments, **more)


def rare(**more: Any) -> tuple[Any, ...]:
    """From -z pairs of spins go up with an amplitude of about |Jx - Jy| t / 4N: jumps are rare at early times."""
    return catalog.dissipative_xyz(Lattice.complete(6), 0.6, 0.9, 1.0, **more), DOWN, grid.TimeGrid((0.0, 0.1, 0.2))


@pytest.mark.parametrize(
    ("method", "dephasing"),
    [(DickeJump(), 0.0), (QuantumJump(), 0.0), (QuantumJump(), 1.0)],
    ids=["dicke_jump", "quantum_jump", "nearly alike"],
)
def test_rare_events_that_nobody_saw_are_no_deviation(method: Any, dephasing: float) -> None:
    """At t = 0.1 a trajectory has jumped with a probability of 3e-5. With dephasing the others differ a little, by far
    less than the jumps that are not there."""
    model, start, times = rare(dephasing=dephasing)
    seen = [record.Magnetisation(("z",)), *([] if dephasing else [record.JumpCounts()])]
    report = study(model, method, start, times, seen, Study(paths=32), seed=1)
    assert failed(report) == {"judged components"}
    assert report.scores.rare.any()
    assert report.decay is report.coverage is None
    assert any("slope and coverage are not known: no component that varies can be judged" in n for n in report.notes)
    if not dephasing:
        blind = [cost for cost in report.costs if cost.method in {"quantum_jump, momentum"}]
        assert [(cost.trajectories, np.isnan(cost.seconds), cost.about) for cost in blind] == [
            (None, True, "no spread seen")
        ]
        assert any("quantum_jump, momentum cost is not known" in note for note in report.notes)
    texts = [text.get_text() for axes in draw_report(report).figure.axes for text in axes.texts]
    assert any("no component that varies" in text for text in texts)
    assert any("FAILED  judged components = 0" in text for text in texts)


def test_a_wrong_constant_fails() -> None:
    """<Sx> is zero by parity in every trajectory; a reference that is off by 0.1 is not excused by rare events."""

    class Off(Lindblad):
        def evolve(self, *arguments: Any) -> xr.Dataset:
            return super().evolve(*arguments) + xr.Dataset({"magnetisation": ("component", [0.1, 0.0, 0.0])})

    report = study(RING, QuantumJump(), DOWN, WINDOW, SEEN[:1], SMALL, seed=1, reference=Off())
    assert failed(report) == {"largest |z|"}
    assert report.labels[int(np.abs(report.scores.z).argmax())] == "magnetisation x"
    assert report.scores.judged.all()


def test_what_is_not_judged_is_said() -> None:
    """One component, too skewed for ensembles of sixteen."""
    at = grid.TimeGrid((0.3,))
    report = study(RING, QuantumJump(), DOWN, at, [record.Magnetisation(("z",))], SMALL, seed=1)
    assert failed(report) == set()
    assert "coverage" not in {check.name for check in report.checks}
    assert any("coverage is not known: all 1 components" in note for note in report.notes)


def test_a_study_of_a_start_alone_has_judged_it() -> None:
    report = study(RING, QuantumJump(), DOWN, grid.TimeGrid((0.0,)), SEEN[:1], SMALL, seed=1)
    assert failed(report) == set()
    assert any("all trajectories are alike" in note for note in report.notes)
    assert report.costs[0].trajectories == 1  # and that is known

    class Off(Lindblad):
        def evolve(self, *arguments: Any) -> xr.Dataset:
            return super().evolve(*arguments) + 1e-6  # nothing has happened yet that could be rare

    report = study(RING, QuantumJump(), DOWN, grid.TimeGrid((0.0,)), SEEN[:1], SMALL, seed=1, reference=Off())
    assert failed(report) == {"largest |z|"}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"settings": {}}, "`settings` must be a Study, but a table was given"),
        ({"reference": "x"}, "`reference` must be a reference that evolves in time, such as Lindblad(), but 'x' was"),
        ({"reference": Lindblad}, "`reference` must be a reference .*, but the class Lindblad was given"),
        ({"observables": []}, "`observables` must hold at least one observable"),
        ({"observables": [kept.Purity()]}, "`record` must ask for an observable of single trajectories"),
        (
            {"settings": Study().model_copy(update={"groups": 10**4})},
            "`convergence.trajectories` must be at least 320000 for 10000 groups",
        ),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], fault: str) -> None:
    given = {"observables": SEEN, "settings": SMALL, "seed": 1} | arguments
    with pytest.raises(InputError, match=fault.replace("(", r"\(").replace(")", r"\)")) as caught:
        study(RING, QuantumJump(), DOWN, WINDOW, **given)
    assert "\n" not in str(caught.value)


def test_what_pairs_of_trajectories_have_is_not_compared() -> None:
    report = study(RING, QuantumJump(), DOWN, WINDOW, [*SEEN, kept.Purity()], SMALL, seed=1)
    assert failed(report) == set()
    assert any("not compared: purity" in note for note in report.notes)


def test_truncated_wigner_is_not_punished_for_its_bias_but_for_its_order() -> None:
    model, start = dimer(1), initial.Product("+x")
    seen = [record.SublatticeMoments(("x", "z")), record.Energy()]
    settings = Study(trajectories=4096, paths=4096, until=1.0)
    report = study(model, TruncatedWigner(), start, grid.TimeGrid((2.0, 6.0)), seen, settings, seed=3)
    assert failed(report) == set()
    assert "largest |z|" not in {check.name for check in report.checks}
    assert report.bias > 0.05
    assert any("bias of the method" in note for note in report.notes)
    held = settings.model_copy(update={"model_error": 0.02})
    report = study(model, TruncatedWigner(), start, grid.TimeGrid((2.0, 6.0)), seen, held, seed=3)
    assert failed(report) == {"largest |z|"}
    held = settings.model_copy(update={"model_error": 0.2})
    report = study(model, Sluggish(), start, grid.TimeGrid((2.0, 6.0)), seen, held, seed=3)
    assert "order, strong" in failed(report)
    assert "largest |z|" not in failed(report)


def test_dicke_jump_against_permutation_with_every_observable() -> None:
    model = catalog.dissipative_xyz(Lattice.complete(8), 0.6, 1.7, 1.0, collective_decay=0.3)
    seen = [*SEEN, record.CollectiveMoments(), record.CollectiveDistribution(("x", "z")), record.Energy()]
    report = study(model, DickeJump(), DOWN, grid.TimeGrid((0.0, 0.5, 2.0)), seen, SMALL, seed=4)
    assert report.truth.reference == "permutation"
    assert failed(report) == set()
    assert report.scores.constant[: len(report.labels) // 3].all()  # all that is known at t = 0
    costs = {cost.method: cost for cost in report.costs}
    assert set(costs) == {"dicke_jump", "quantum_jump", "quantum_jump, momentum", "truncated_wigner", "permutation"}
    assert costs["quantum_jump, momentum"].left_out == ("collective_distribution",)  # along x


def test_what_another_method_cannot_see_is_left_out() -> None:
    """Dicke jumps take the model, but no operator of one site."""
    one = record.Operator("first", (Term.product(("Sz",), (0,)),))
    complete = catalog.dissipative_xyz(Lattice.complete(4), 0.6, 1.7, 1.0)
    report = study(complete, QuantumJump(), DOWN, WINDOW, [record.Energy(), one], SMALL, seed=4)
    assert failed(report) == set()
    assert next(c for c in report.costs if c.method == "dicke_jump").left_out == ("first",)


def test_moments_have_a_scale_for_each_order() -> None:
    """Orders have units of their own: an error of <M> is nothing beside <M^4>."""
    seen = [record.CollectiveMoments(("z",)), record.CollectiveCovariance()]
    report = study(RING, QuantumJump(), DOWN, WINDOW, seen, SMALL, seed=1)
    scales = dict(zip(report.labels, report.scales.tolist(), strict=True))
    assert scales["collective_moment z 1"] == pytest.approx(np.abs(report.exact[0]))
    assert scales["collective_moment z 4"] == pytest.approx(np.abs(report.exact[3]))
    assert scales["collective_covariance x"] == scales["collective_covariance z"]
    assert scales["collective_covariance zz"] == scales["collective_covariance xy"] != scales["collective_covariance z"]


def test_jumps_are_not_asked_of_a_sampler_without() -> None:
    with pytest.raises(UnsupportedError, match=r"`record.jump_counts` must be left out for truncated_wigner"):
        study(dimer(4), TruncatedWigner(), initial.Product("+x"), WINDOW, [record.JumpCounts()], SMALL, seed=1)


def test_tolerance_bounds_small_probabilities_absolutely() -> None:
    """A sampler is as exact as its tolerance, however small the probabilities of single outcomes are."""
    complete = catalog.driven_xy(Lattice.complete(30), 1.0, 1.0, 4.0)
    seen = [record.CollectiveDistribution(("z",)), record.Magnetisation(("z",))]
    settings = SMALL.model_copy(update={"until": 2.0, "paths": 64})
    report = study(complete, DickeJump(), DOWN, grid.TimeGrid((0.5,)), seen, settings, seed=20190525)
    assert failed(report) == set()


def test_window_of_the_exact_answer_is_that_of_the_sampler() -> None:
    """Time average over (1, 3] of an undriven spin that decays from up: <Sz> = e^-t - 1/2, jumps e^-1 - e^-3."""
    model = catalog.dissipative_xyz(Lattice.chain(1, periodic=False), 0.0, 0.0, 0.0)
    seen = [record.Magnetisation(("z",)), record.JumpCounts()]
    truth = solve_on_grid(Lindblad(), model, initial.Product("+z"), WINDOW, seen)
    mean = np.exp(-np.array([1.5, 2.0, 2.5, 3.0])).mean() - 0.5
    assert truth.values["magnetisation"].item() == pytest.approx(mean, abs=1e-12)
    assert truth.values["jump_counts"].item() == pytest.approx(np.exp(-1) - np.exp(-3), abs=1e-12)


def test_best_reference() -> None:
    complete = catalog.dissipative_xyz(Lattice.complete(5), 0.6, 1.7, 1.0)
    assert isinstance(best_reference(complete, DOWN), Permutation)
    uneven = initial.Configuration((0.5, -0.5, 0.5, 0.5, 0.5))
    assert isinstance(best_reference(complete, uneven), Lindblad)
    assert isinstance(best_reference(RING, DOWN), Lindblad)
    large = catalog.dissipative_xyz(Lattice.chain(24), 0.6, 1.7, 1.0)
    with pytest.raises(UnsupportedError, match=r"(?s)needs .* GiB and this machine has .*\[convergence\]"):
        best_reference(large, DOWN)


def test_what_has_no_exact_answer_is_said() -> None:
    seen = [record.Magnetisation(("z",)), kept.EntanglementEntropy(), kept.JumpRecords()]
    truth = solve_on_grid(Lindblad(), RING, DOWN, WINDOW, seen)
    assert truth.left_out == ("entanglement_entropy", "jump_records")
    with pytest.raises(UnsupportedError, match="`record` must ask for an observable that lindblad has"):
        solve_on_grid(Lindblad(), RING, DOWN, WINDOW, seen[1:])


def test_an_exact_method_takes_no_model_error() -> None:
    settings = SMALL.model_copy(update={"model_error": 0.1})
    with pytest.raises(UnsupportedError, match=r"`convergence.model_error` must be left out for quantum_jump"):
        study(RING, QuantumJump(), DOWN, WINDOW, SEEN, settings, seed=1)


def test_figure_has_the_numbers(sound: Report) -> None:
    figure = draw_report(sound)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["error against trajectories", "error against tolerance"]
    lines = figure.axes[0].get_lines()
    assert sound.decay is not None
    drawn = np.concatenate([line.get_ydata() for line in lines[:2]])
    assert drawn.tolist() == sound.decay.error.tolist()
