"""The reflecting model of a cell, where it is another than the one that answers: loaded, or reached, as tuning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import methods
from bench.adapt.asking import REFLECTION, Reflector
from bench.cell.job import Job
from bench.cell.setup import Progress, session_for
from bench.core.prompt_search import ReflectedBy
from bench.meters.phases import Meter, OnePhase


def reflector_of(job: Job, meter: Meter, progress: Progress) -> Reflector:
    """The model that writes instructions for a job.

    Raises:
        EndpointError: it cannot be reached.
    """
    settings, part, method = job.identity.reflector, OnePhase(meter, "tune"), methods.create("zero-shot")
    assert job.reflector is not None
    assert settings is not None
    identity = replace(job.identity, surroundings=settings.surroundings)
    of_reflector = replace(job, model=job.reflector, identity=identity, options={})
    session = session_for(of_reflector, REFLECTION, method, part, progress)
    with part.phase("load"):
        model = session.answering(method)
    named, at = of_reflector.resolved, of_reflector.resolved.served_at
    where: dict[str, Any] = {"base_url": at.base_url, "stays": at.stays, "price": at.price} if at else {}
    return Reflector(session, model, ReflectedBy(named.name, named.digest, **where))
