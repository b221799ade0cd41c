"""Faults that AWS has now and then, on demand: slow, throttled, failing and lost answers, late visibility.

A sequence of faults is deterministic for a seed: each call draws three numbers, whatever is switched on, so that one
setting's change doesn't shift the others. Source of the answers: IAM API Reference, "Common Errors" (Throttling,
ServiceFailure), and the same page of the other services.
"""

from __future__ import annotations

import math
import random
from dataclasses import asdict, dataclass, fields
from typing import Any

from irsa_manager.sandbox.front.admin import Wrong, only_keys
from irsa_manager.sandbox.front.answers import Refused


@dataclass(frozen=True)
class Setting:
    """latency and consistency in seconds; throttle, error and drop as fractions of the calls.

    operations: the operations it applies to, none for all. drop: the answer is lost after the call took effect.
    consistency: how long a write stays unseen.
    """

    latency: float = 0.0
    throttle: float = 0.0
    error: float = 0.0
    drop: float = 0.0
    consistency: float = 0.0
    operations: tuple[str, ...] = ()
    seed: int = 0

    def concerns(self, operation: str) -> bool:
        """Whether an operation is among those it applies to."""
        return not self.operations or operation in self.operations


@dataclass(frozen=True)
class Fate:
    """What one call meets: seconds to wait, an error in place of its effect, the loss of its answer."""

    latency: float = 0.0
    refused: Refused | None = None
    dropped: bool = False


class Faults:
    """The setting in force, and the draw for each call."""

    def __init__(self) -> None:
        self.setting = Setting()
        self._random = random.Random(0)  # noqa: S311  (a reproducible sequence is the purpose)

    def put(self, body: object) -> dict[str, Any]:
        """Replace the setting; {} ends all faults.

        Raises:
            Wrong: an unknown key, or a value out of its range.

        """
        self.setting = _setting(body)
        self._random.seed(self.setting.seed)
        return self.get(None)

    def get(self, body: object) -> dict[str, Any]:
        """The setting, with what isn't at its default."""
        default = asdict(Setting())
        return {name: value for name, value in asdict(self.setting).items() if value != default[name]}

    def draw(self, service: str, operation: str) -> Fate:
        """What a call meets; three numbers are drawn for it, whatever is switched on."""
        if not self.setting.concerns(operation):
            return Fate()
        throttle, error, drop = self._random.random(), self._random.random(), self._random.random()
        refused = None
        if throttle < self.setting.throttle:
            refused = _throttled(service)
        elif error < self.setting.error:
            refused = _failed(service)
        return Fate(self.setting.latency, refused, drop < self.setting.drop)


def _throttled(service: str) -> Refused:
    if service == "s3":
        return Refused("SlowDown", "Please reduce your request rate.", 503)
    return Refused("Throttling" if service in ("iam", "sts") else "ThrottlingException", "Rate exceeded")


def _failed(service: str) -> Refused:
    if service == "iam":
        return Refused("ServiceFailure", "The request processing has failed because of an unknown error.", 500)
    return Refused("ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503)


def _setting(body: object) -> Setting:
    given = only_keys(body, {field.name: field for field in fields(Setting)})
    for name in ("throttle", "error", "drop"):
        _range(given, name, 1.0)
    for name in ("latency", "consistency"):
        _range(given, name, 3600.0)
    if not isinstance(given.get("seed", 0), int) or isinstance(given.get("seed", 0), bool):
        raise Wrong("seed must be an integer")
    operations = given.get("operations", [])
    if not isinstance(operations, list) or not all(isinstance(one, str) and one for one in operations):
        raise Wrong("operations must be a list of operations' names")
    return Setting(**{**given, "operations": tuple(operations)})


def _range(given: dict[str, Any], name: str, most: float) -> None:
    value = given.get(name, 0)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not 0 <= value <= most:
        raise Wrong(f"{name} must be a number from 0 to {most:g}")
