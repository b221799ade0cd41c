"""What it costs to decode a list of ServiceAccounts, and to keep it: our slim types beside others.

python bench/decode.py [OBJECTS]: each row is a process of its own; the list is made here, with the server's fields.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import lightkube.resources.core_v1
import msgspec

from irsa_manager.kube.resources import ServiceAccount


class Listed(msgspec.Struct):
    """What our reflector decodes a page into."""

    items: list[ServiceAccount]


def listing(count: int) -> bytes:
    """A ServiceAccountList as the API server writes it."""
    items = [
        {
            "metadata": {
                "name": f"account-{number}",
                "namespace": f"namespace-{number % 200}",
                "uid": f"00000000-0000-4000-8000-{number:012}",
                "resourceVersion": str(1000 + number),
                "creationTimestamp": "2026-11-24T18:00:00Z",
                "labels": {"irsa-manager.kkb0318.github.io/created": "true", "app": f"app-{number}"},
                "annotations": {"eks.amazonaws.com/role-arn": f"arn:aws:iam::111122223333:role/role-{number}"},
                "managedFields": [
                    {
                        "manager": "irsa-manager",
                        "operation": "Update",
                        "apiVersion": "v1",
                        "time": "2026-11-24T18:00:00Z",
                        "fieldsType": "FieldsV1",
                        "fieldsV1": {"f:metadata": {"f:annotations": {".": {}, "f:eks.amazonaws.com/role-arn": {}}}},
                    }
                ],
            }
        }
        for number in range(count)
    ]
    return json.dumps({"kind": "ServiceAccountList", "apiVersion": "v1", "metadata": {}, "items": items}).encode()


def by_lightkube(body: bytes) -> Any:
    """As lightkube's own list does it."""
    return [lightkube.resources.core_v1.ServiceAccount.from_dict(item) for item in json.loads(body)["items"]]


WAYS: dict[str, Callable[[bytes], Any]] = {
    "json, dictionaries": json.loads,
    "msgspec, dictionaries": msgspec.json.Decoder().decode,
    "json, lightkube's models": by_lightkube,
    "msgspec, our Structs": msgspec.json.Decoder(Listed).decode,
}


def measure(way: str, count: int) -> tuple[float, float]:
    """Milliseconds of the fastest of five, and MB that the kept result added."""
    decode = WAYS[way]
    body = listing(count)
    decode(listing(10))
    times = []
    for _ in range(5):
        started = time.perf_counter()
        decode(body)
        times.append(time.perf_counter() - started)
    gc.collect()
    before = _resident()
    kept = decode(body)
    added = _resident() - before
    del kept
    return min(times) * 1000, added


def _resident() -> float:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main(count: int) -> None:
    print(f"{count:,} ServiceAccounts, {len(listing(count)) / 2**20:.0f} MB of JSON\n")
    print("| how | fastest ms | kept MB |")
    print("|---|---|---|")
    for way in WAYS:
        command = [sys.executable, __file__, "--measure", way, str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        milliseconds, added = json.loads(done.stdout)
        print(f"| {way} | {milliseconds:.0f} | {added:.0f} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
