"""The first module that the fork server loads: from here on our own packages are found, and none of the same names."""

import runpy
from pathlib import Path

START = Path(__file__).parents[3] / "adaptbench.py"
runpy.run_path(str(START), run_name="__mp_main__")
