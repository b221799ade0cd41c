"""Settings for the sandbox's AWS, and what reached it."""

from __future__ import annotations

from typing import Any

from front_process import REGION, Front

from irsa_manager.aws.credentials import AwsKeys, AwsSettings


def settings_for(front: Front, key: tuple[str, str], **more: Any) -> AwsSettings:
    return AwsSettings(region=REGION, endpoint_url=front.url, keys=AwsKeys(*key), **more)


def calls(front: Front) -> dict[str, int]:
    """Calls that reached AWS, by operation."""
    counted: dict[str, int] = front.sandbox("GET", "calls")[1]["calls"]
    return counted
