"""What a campaign may keep of its trajectories besides expectation values, asked for in [record] like these."""

from __future__ import annotations

from trajsim.records.classical import SublatticeDistribution, TimeStepError
from trajsim.records.records import (
    RECORDS,
    EntanglementEntropy,
    FinalStates,
    JumpRecords,
    Purity,
    Record,
    channel_labels,
    check_size,
    check_supported,
    from_value,
    measured,
)

__all__ = [
    "RECORDS",
    "EntanglementEntropy",
    "FinalStates",
    "JumpRecords",
    "Purity",
    "Record",
    "SublatticeDistribution",
    "TimeStepError",
    "channel_labels",
    "check_size",
    "check_supported",
    "from_value",
    "measured",
]
