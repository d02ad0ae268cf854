"""Convergence studies: how far a sampler is from the exact answer, and whether by as much as its errors say.

`study` takes objects, `study_campaign` a campaign file (`trajsim converge`); both return a `Report` whose `checks` pass or
fail. Nothing here runs on several ranks: a study takes a minute.
"""

from __future__ import annotations

from trajsim.campaign.study import Study
from trajsim.convergence.checks import Check
from trajsim.convergence.report import Report, study, study_campaign

__all__ = ["Check", "Report", "Study", "study", "study_campaign"]
