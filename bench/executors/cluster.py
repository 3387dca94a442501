"""`cluster.yaml`: what a cell gets on a cluster, and how many are measured at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.core.errors import UsageError
from bench.core.explain import explain
from bench.core.yaml_file import read_mapping

FILE = "cluster.yaml"
_FLAG = r"^[a-z][a-z0-9-]*$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSettings(_Strict):
    """What a cell gets, whichever cluster it is on."""

    at_once: int = Field(16, gt=0, le=10_000, description="cells that wait or run at once")
    gpus: int = Field(0, ge=0, le=1, description="of each rank of a cell: 0 or 1")
    bfloat16: bool = Field(True, description="whether the GPUs multiply bfloat16 themselves (A100 and later do)")
    per_node: int = Field(1, gt=0, description="cells that share a node at most; costs of such cells are marked")
    cpus: int = Field(4, gt=0, description="cores of a cell")
    memory_gib: float | None = Field(None, gt=0, description="of a cell; default: what the cluster gives")
    gpu_memory_gib: float | None = Field(None, gt=0, description="of a GPU; `plan` refuses cells that need more")
    per_hour: float | None = Field(None, ge=0, description="price of an hour of what a cell gets; for `plan`")


class GpuKind(_Strict):
    """Another kind of GPU, for `plan` to compare with."""

    memory_gib: float = Field(gt=0, description="of the GPU")
    per_hour: float | None = Field(None, ge=0, description="price of an hour of a cell there")
    speed: float = Field(1.0, gt=0, description="in comparison with the GPUs that cells get now")


class SlurmSettings(NodeSettings):
    """Jobs of Slurm."""

    partition: str | None = Field(None, description="as sbatch takes it")
    account: str | None = Field(None, description="as sbatch takes it")
    time: int = Field(240, gt=0, description="minutes of a cell at most")
    setup: list[str] = Field(default_factory=list, description="shell lines before the cell, such as module load cuda")
    flags: dict[Annotated[str, Field(pattern=_FLAG)], str | int | bool] = Field(
        default_factory=dict, description="further flags of sbatch, without the dashes"
    )


class RaySettings(NodeSettings):
    """Tasks of Ray."""

    address: str = Field("auto", description="of the cluster, as ray.init takes it")
    resources: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="custom resources that a cell needs"
    )


class Cluster(_Strict):
    """What `cluster.yaml` holds."""

    slurm: SlurmSettings = Field(SlurmSettings(), description="of `--on slurm`")
    ray: RaySettings = Field(RaySettings(), description="of `--on ray`")
    other_gpus: dict[str, GpuKind] = Field(default_factory=dict, description="kinds that `plan` compares with")
    others: dict[str, dict[str, object]] = Field(
        default_factory=dict, description="settings of executors of other distributions, by name"
    )


def read(file: Path | None, suite_file: Path) -> Cluster:
    """The cluster file that was named, else the one in the suite's folder or here, else the defaults.

    Raises:
        UsageError: the file does not exist, or something in it is wrong; a line for each problem.
    """
    places = [file] if file else [suite_file.parent / FILE, Path(FILE)]
    there = next((place for place in places if place.is_file()), None)
    if there is None:
        if file:
            raise UsageError(f'there is no file "{file}"; --cluster takes a YAML file such as {FILE}')
        return Cluster()
    content = read_mapping(there, str(there), "a cluster file is a mapping of slurm: or ray: to settings")
    try:
        return Cluster.model_validate(content)
    except ValidationError as error:
        raise UsageError("\n".join(f"{there}: {line}" for line in explain(error, Cluster))) from None
