"""The session of a served model: prompts as text, answers from its endpoint, nothing that is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.adapt.session import AdaptSession, reserve_of
from bench.core.method import Context, Method
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Writer
from bench.served.backend import ServedBackend
from bench.served.predictor import ServedPredictor
from bench.served.prompts import TextWriter


@dataclass(frozen=True, kw_only=True)
class ServedSession(AdaptSession):
    """What a prompting method is adapted with where the model answers elsewhere."""

    served: ServedBackend
    context_length: int | None  # in tokens; None where the endpoint does not say
    single_turn: bool = False  # few-shot examples as text in one user turn

    def writer(self, context: Context) -> Writer:
        length, reserve, prompt = self.context_length or 0, reserve_of(self.task), context.worded(self.task.prompt)
        return TextWriter(self.base.codec, prompt, context, length, reserve, single_turn=self.single_turn)

    def predictor(self, model: Any, writer: Writer) -> ModelPredictor:
        return ServedPredictor(
            model,
            writer,
            self.task,
            lambda done, total: self.progress(self.meter.current or "predict", done, total),
        )

    def answering(self, method: Method) -> ServedBackend:
        return self.served

    def size(self, model: Any) -> int:
        return 0
