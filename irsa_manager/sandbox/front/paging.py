"""Lists in pages: MaxItems, Marker, IsTruncated.

Source: IAM API Reference, common to its List operations: 100 by default, 1 to 1,000; fewer than MaxItems may come even
when there is more, so only IsTruncated counts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from irsa_manager.sandbox.front import names
from irsa_manager.sandbox.front.answers import Refused

DEFAULT: Final = 100
MOST: Final = 1000

Item = TypeVar("Item")


def page(
    items: Sequence[Item], key: Callable[[Item], str], parameters: Mapping[str, str]
) -> tuple[Sequence[Item], dict[str, Any]]:
    """The part of a sorted list that a request asks for, and the elements that say whether there is more.

    The marker holds the key of the last item, so items that come or go between two pages shift nothing.

    Raises:
        Refused: MaxItems out of range, or a marker that this list didn't give.

    """
    size = names.number(parameters, "MaxItems", 1, MOST) or DEFAULT
    after = _key(parameters["Marker"]) if "Marker" in parameters else ""
    rest = [item for item in items if key(item) > after] if after else items
    if len(rest) <= size:
        return rest, {"IsTruncated": False}
    found = rest[:size]
    marker = base64.urlsafe_b64encode(key(found[-1]).encode()).decode()
    return found, {"IsTruncated": True, "Marker": marker}


def _key(marker: str) -> str:
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Refused("ValidationError", "Invalid Marker.") from error
