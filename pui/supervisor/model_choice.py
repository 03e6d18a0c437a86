"""Which model a task gets, with the key of this moment.

In: the task's spec, services. Out: a ModelChoice. Never: a key that is kept or written down.
"""

from __future__ import annotations

from pui.domain.errors import ModelError
from pui.domain.model_policy import DEMO_CHOICE, ModelChoice
from pui.domain.task import ModelRef, TaskSpec, check_network
from pui.supervisor.services import Services


def choose_model(services: Services, spec: TaskSpec) -> ModelChoice:
    """The model of `spec`, or the app's default one where it names none.

    Raises ModelError("model.no_key"), CallerError("caller.bad_request") (an offline task with a model that has to be
    reached), HostError("host.permission").
    """
    choice = _find(services, spec.model)
    check_network(spec.network, choice.provider)
    return choice


def _find(services: Services, ref: ModelRef | None) -> ModelChoice:
    if services.models is not None:
        wanted = services.models.default() if ref is None else ref
        return services.models.choice(wanted.provider, wanted.model)
    if ref is None:
        return services.model
    for known in (services.model, DEMO_CHOICE):
        if (ref.provider, ref.model) == (known.provider, known.model):
            return known
    raise ModelError("model.no_key", f"this app has no key for {ref.provider}")
