"""Free TCP ports on 127.0.0.1."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from irsa_manager.api.errors import SandboxError

LOWEST = 10_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on.

    They lie below the range from which the kernel takes ports for outgoing connections (ip(7),
    ip_local_port_range), so none is lost to a connection before its server listens or while it restarts. Raises
    SandboxError where none is found.
    """
    ephemeral = int(EPHEMERAL.read_text().split()[0]) if EPHEMERAL.exists() else 32_768
    low, high = (LOWEST, ephemeral) if ephemeral > LOWEST + 1_000 else (ephemeral, 65_536)
    found: set[int] = set()
    for _ in range(200 * count):
        port = low + secrets.randbelow(high - low)
        if port not in found and _is_free(port):
            found.add(port)
        if len(found) == count:
            return sorted(found)
    raise SandboxError("SandboxFailed", f"No free port on 127.0.0.1 between {low} and {high}.")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
