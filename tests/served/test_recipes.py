"""The recipes of docs/served.md: the server that a command starts is the one that the suite beside it asks."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from bench.model.resolve import ModelSpec
from tests.test_layout import ROOT

RECIPES = re.findall(r"```bash\n(.*?)```\n```yaml\n(.*?)```", (ROOT / "docs/served.md").read_text("utf-8"), re.DOTALL)
# command -> how it is begun, and the options that its documentation has of those that recipes use
KNOWN = {
    "vllm": (["serve"], {"--served-model-name", "--port", "--generation-config"}),
    "llama-server": ([], {"--model", "--alias", "--port", "--parallel"}),
    "transformers": (["serve"], {"--port", "--dtype"}),
}


@pytest.mark.parametrize(("commands", "models"), RECIPES, ids=lambda text: str(text).split()[0])
def test_the_suite_asks_the_server_that_the_command_starts(commands: str, models: str) -> None:
    program, *words = shlex.split(commands.strip().splitlines()[-1])
    begun, options = KNOWN[program]
    assert words[: len(begun)] == begun
    rest = words[len(begun) :]
    given = {word: rest[i + 1] for i, word in enumerate(rest) if word.startswith("--")}
    assert given.keys() <= options
    named = next((given[name] for name in ("--served-model-name", "--alias") if name in given), rest[0])
    (entry,) = yaml.safe_load(models)["models"]
    endpoint = ModelSpec.model_validate(entry).endpoint
    assert endpoint is not None
    assert (endpoint.model, endpoint.base_url) == (named, f"http://localhost:{given['--port']}/v1")
    assert endpoint.stays


def test_every_server_has_a_recipe() -> None:
    assert len(RECIPES) == len(KNOWN)
