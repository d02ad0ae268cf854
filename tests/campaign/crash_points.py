"""Kill a run at every step at which it touches the disk, resume it, compare: a program for `test_crash`.

    python crash_points.py CAMPAIGN FOLDER FIRST STRIDE

A run in a forked child is ended by SIGKILL just before its n-th creation, renaming or deletion of a file, for n =
FIRST, FIRST + STRIDE, ... until a run comes to its end. Each time a second child resumes, and the store must be that
of an undisturbed run, byte for byte. Prints the number of kills. (Forking is safe here: the parent never uses zarr,
so there are no threads to lose.)
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import fake_ensemble
import zarr  # noqa: F401
from launch import contents

import trajsim.ensemble
import trajsim.streams  # noqa: F401
from trajsim.campaign.run import run_campaign

STEPS = ("open", "os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir")


def child(campaign: fake_ensemble.Campaign, store: Path, die_before: int | None) -> int:
    """Run in a child; returns its exit status, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        left = -1 if die_before is None else die_before

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event not in STEPS or str(store) not in str(arguments[0]):
                return
            if event == "open" and not isinstance(arguments[2], int):
                return
            if event == "open" and not int(arguments[2]) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        if die_before is not None:
            sys.addaudithook(hook)
        try:
            run_campaign(campaign, store)
        except BaseException as error:
            sys.stderr.write(f"{error}\n")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    campaign = fake_ensemble.Campaign.parse(Path(sys.argv[1]).read_text())
    folder = Path(sys.argv[2])
    step, stride = int(sys.argv[3]), int(sys.argv[4])
    reference, store = folder / "reference.zarr", folder / "killed.zarr"
    assert child(campaign, reference, None) == 0
    kills = 0
    while (status := child(campaign, store, step)) != 0:
        assert status == -signal.SIGKILL, status
        kills += 1
        if kills % 3 == 0:  # the one that resumes is killed too
            assert child(campaign, store, 1 + step // 3) in (0, -signal.SIGKILL)
        assert child(campaign, store, None) == 0, step
        assert contents(store) == contents(reference), step
        shutil.rmtree(store)
        step += stride
    print(kills)


if __name__ == "__main__":
    main()
