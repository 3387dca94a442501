"""Which of a machine's CUDA devices a process may see. Imports no torch: it is asked before CUDA starts."""

from __future__ import annotations

VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible_device(asked: str, visible: str | None, ranks: int = 1) -> str:
    """The devices that a cell may see, as `CUDA_VISIBLE_DEVICES` says it: one for each of its ranks.

    `asked` is the suite's device, `visible` what the variable is now (None: every device): numbers, or UUIDs of cards
    (GPU-…) or of their parts (MIG-…).
    """
    if asked == "cpu":
        return ""
    index = int(asked.partition(":")[2] or 0)
    if visible is None:
        return ",".join(map(str, range(index, index + ranks)))
    listed: list[str] = []
    for name in map(str.strip, visible.split(",")):
        if name in ("", "-1"):  # CUDA reads no further
            break
        listed.append(name)
    return ",".join(listed[index : index + ranks])
