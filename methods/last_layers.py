"""Weights part `last-layers`: only the top blocks are trained; what lies below stays the base model's.

The classical middle way of transfer learning (Yosinski et al. 2014; Lee et al. 2019, arXiv:1911.03090): cheaper to
train, as no gradient passes the lower blocks, and less to forget.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bench.core.errors import NotApplicableError
from bench.core.model_kind import ModelKind, reads_pictures
from methods.full import Full, FullOptions
from methods.read_by_text import in_a_block, read_by_text


class LastLayersOptions(FullOptions):
    layers: int = Field(2, gt=0, description="how many blocks, counted from the top")


class LastLayers(Full):
    """Only the top blocks are trained, and the norm after them; of an encoder-decoder model, the decoder's."""

    name = "last-layers"
    kinds = frozenset[ModelKind]({"causal", "seq2seq", "image"})
    Options = LastLayersOptions
    options: LastLayersOptions

    def start(self, model: Any, seed: int) -> Any:
        if reads_pictures(model):
            return self._of_pictures(model)
        output = model.get_output_embeddings()
        text = read_by_text(model) - set(output.parameters() if output is not None else ())
        if model.config.is_encoder_decoder:
            text &= set(model.get_decoder().parameters())
        blocks = _blocks(model, text)
        self._require(blocks)
        model.requires_grad_(False)
        for block in blocks[-self.options.layers :]:
            block.requires_grad_(True)
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and parameter in text and not in_a_block(name):
                parameter.requires_grad_(True)  # the norm after the last block
        return model

    def _of_pictures(self, model: Any) -> Any:
        """The top blocks, and what stands behind them."""
        blocks = _picture_blocks(model)
        self._require(blocks)
        first = next(blocks[-self.options.layers].parameters())
        model.requires_grad_(False)
        parameters = list(model.parameters())
        for parameter in parameters[next(i for i, one in enumerate(parameters) if one is first) :]:
            parameter.requires_grad_(True)
        return model

    def _require(self, blocks: Any) -> None:
        if self.options.layers > len(blocks):
            raise NotApplicableError(f"last-layers with layers: {self.options.layers}, but the model has {len(blocks)}")


def _picture_blocks(model: Any) -> list[Any]:
    """The blocks of a model of pictures from the bottom to the top: of lists in lists, those of the inner ones."""
    import torch

    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    inner = [one for one in lists if sum(isinstance(module, torch.nn.ModuleList) for module in one.modules()) == 1]
    return [block for one in inner for block in one if next(block.parameters(), None) is not None]


def _blocks(model: Any, text: set[Any]) -> Any:
    """The list of the model's blocks that have parameters in `text`."""
    import torch

    both = model.config.is_encoder_decoder
    top = model.get_decoder() if both else model
    count = None if both else model.config.get_text_config().num_hidden_layers  # encoders can have another number
    lists = (blocks for blocks in top.modules() if isinstance(blocks, torch.nn.ModuleList))
    found = next((b for b in lists if count in (None, len(b)) and not text.isdisjoint(b.parameters())), None)
    if found is None:
        raise NotApplicableError("last-layers finds no list of blocks in this architecture")
    return found


PART = LastLayers
