"""The first module that the fork server loads: from here on our own packages are found, and none of the same names.

It also sees to it that nothing of a run that was killed is left: the fork server ends at once, even while it loads
libraries, and takes the run's temporary files with it.
"""

import atexit
import os
import runpy
import shutil
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType

START = Path(__file__).parents[3] / "adaptbench.py"
SCRATCH = os.environ.get("ADAPTBENCH_SCRATCH")
PARENT = os.environ.get("ADAPTBENCH_RUN")  # the process of the run, where it stays as long as this one is needed
PR_SET_PDEATHSIG = 1  # see prctl(2)


def end(scratch: str | None, number: int, frame: FrameType | None) -> None:
    """Remove the temporary files of the run that has gone, and end."""
    if scratch:
        shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)


def end_with_the_run(parent: int) -> None:
    """Have Linux send SIGTERM when the run ends, and heed it."""
    import ctypes

    signal.signal(signal.SIGTERM, partial(end, SCRATCH))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was gone before this was asked for
        end(SCRATCH, signal.SIGTERM, None)


if SCRATCH:
    atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)  # cells end without it
if PARENT and sys.platform == "linux":
    end_with_the_run(int(PARENT))
runpy.run_path(str(START), run_name="__mp_main__")
