"""Code that the files of a model name, beside the one that is installed: refused unless the suite trusts the model.

`auto_map` needs no look: transformers and sentence-transformers are told `trust_remote_code=False`. What is refused
here they would import or fetch all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.quoting import quoted, shown

_KERNELS = "_implementation"  # how settings end that may name a kernel on the Hub, such as attn_implementation
_MODULES = {"megatron_core": "megatron.core"}  # settings of adapters that name a module to import, and PEFT's own
_OWN = "sentence_transformers."  # how classes of a sentence encoder begin


def refuse_code(folder: Path) -> None:
    """Refuse a model whose configurations name code to import or to fetch.

    Raises:
        UsageError: they do; in one line, with the file and the setting.
    """
    for file in sorted(folder.rglob("*config.json")):
        for name, value in _settings(_read(file)):
            if (name.endswith(_KERNELS) and "/" in value) or value != _MODULES.get(name, value):
                raise _refusal(file, name, value)
    modules = folder / "modules.json"
    for module in _read(modules) if modules.is_file() else ():
        kind = module.get("type") if isinstance(module, dict) else None
        if isinstance(kind, str) and not kind.startswith(_OWN):
            raise _refusal(modules, "type", kind)


def _refusal(file: Path, name: str, value: str) -> UsageError:
    what = f"{quoted(str(file))} names code that is not installed with adaptbench: {name} is {shown(value)}"
    return UsageError(f"{what}; remove it, or convert the model to one of transformers' own")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # whoever reads it next says what is wrong with it
        return {}


def _settings(value: Any) -> Iterator[tuple[str, str]]:
    """Every setting that is text, at any depth, with the name it stands under."""
    open_ = [("", value)]
    while open_:
        name, value = open_.pop()
        if isinstance(value, dict):
            open_ += [(key if not name.endswith(_KERNELS) else name, each) for key, each in value.items()]
        elif isinstance(value, list):
            open_ += [(name, each) for each in value]
        elif isinstance(value, str):
            yield name, value
