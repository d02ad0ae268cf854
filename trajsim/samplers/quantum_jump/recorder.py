"""What a block keeps besides the rows that the kernels measure: what `trajsim.records` declares.

A sampler makes one `Recorder` a block and, for each trajectory in order,

    if recorder.wants(k):                        # after sample k has been measured into `row`
        recorder.sample(k, psi, row)             # psi (D,), complex, normalised, in the basis of the model
    if recorder.jumps is not None:
        recorder.jumps.append(times, channels)   # as often as the kernel hands over recorded jumps
    recorder.end(status)

and gives `recorder.finish()` to `BlockMoments.finish`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.layout import Layout
from trajsim.records import EntanglementEntropy, FinalStates, Purity
from trajsim.samplers.jump_records import JumpRecords
from trajsim.samplers.quantum_jump.entanglement import cut, entropy
from trajsim.samplers.status import OK

if TYPE_CHECKING:
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["RECORDS_OF_STATES", "Recorder"]

RECORDS_OF_STATES = frozenset({"entanglement_entropy", "purity", "jump_records", "final_states"})
"""Records that any sampler of pure states offers through a `Recorder`."""

Vector = NDArray[np.complex128]


class Recorder:
    """Records of a block of `size` trajectories that sample `samples` times each."""

    def __init__(
        self, model: SpinModel, observables: Sequence[Observable], layout: Layout, samples: int, size: int
    ) -> None:
        self._layout = layout
        self._last = samples - 1
        self._number = 0
        self._cuts = [
            (cut(model.dimensions, o.part(model)), layout.field(o.name).offset)
            for o in observables
            if isinstance(o, EntanglementEntropy)
        ]
        self._purity = any(isinstance(o, Purity) for o in observables)
        self._final: NDArray[Any] | None = None
        if any(isinstance(o, FinalStates) for o in observables):
            assert layout.final_state is not None
            dimension, dtype = layout.final_state
            self._final = np.full((size, dimension), np.nan + 1j * np.nan, dtype=dtype)
        self._states = np.empty((samples, model.hilbert_dimension), dtype=np.complex128) if self._purity else None
        self._overlaps = np.empty(samples)
        self._whole = False  # whether the first trajectory of the pair at hand finished
        self._pairs = 0
        self._pair_mean = np.zeros((layout.rows, layout.pair_width))
        self._pair_m2 = np.zeros((layout.rows, layout.pair_width))
        self.jumps = None if layout.jump_channels is None else JumpRecords()

    def wants(self, sample: int) -> bool:
        """Whether `sample` must be called for this sample of the trajectory."""
        return bool(self._cuts) or self._purity or (self._final is not None and sample == self._last)

    def sample(self, sample: int, psi: Vector, row: NDArray[np.float64]) -> None:
        """The state at a sample; numbers that are functions of it are written into its row."""
        for place, offset in self._cuts:
            row[offset] = entropy(place, psi)
        if self._states is not None:
            if self._number % 2 == 0:
                self._states[sample] = psi
            else:  # numpy's own sums: those of BLAS depend on its number of threads
                self._overlaps[sample] = abs((self._states[sample].conj() * psi).sum()) ** 2
        if self._final is not None and sample == self._last:
            self._final[self._number] = psi

    def end(self, status: int) -> None:
        """The trajectory is over."""
        if self.jumps is not None:
            self.jumps.end()
        if self._final is not None and status != OK:
            self._final[self._number] = np.nan + 1j * np.nan
        if self._purity and self._number % 2 == 1 and self._whole and status == OK:
            self._add_pair()
        self._whole = status == OK
        self._number += 1

    def _add_pair(self) -> None:
        on_grid = self._layout.times is not None
        row = self._overlaps[:, None] if on_grid else self._overlaps.mean(keepdims=True)[:, None]
        self._pairs += 1
        deviation = row - self._pair_mean
        self._pair_mean += deviation / self._pairs
        self._pair_m2 += deviation * (row - self._pair_mean)

    def finish(self) -> dict[str, NDArray[Any]]:
        """Further arrays of `BlockData`."""
        arrays: dict[str, NDArray[Any]] = {}
        if self._purity:
            missing = np.nan if self._pairs == 0 else 0.0
            arrays |= {"pair_mean": self._pair_mean + missing, "pair_m2": self._pair_m2 + missing}
        if self.jumps is not None:
            arrays |= self.jumps.finish()
        if self._final is not None:
            arrays["final_state"] = self._final
        return arrays
