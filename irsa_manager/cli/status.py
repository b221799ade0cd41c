"""`irsa-manager status`: which IRSAs are ready, and why the others aren't; from the API server alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from irsa_manager.cli.place import Context, Kubeconfig, Output, in_columns, one_key, print_data

if TYPE_CHECKING:
    from irsa_manager.api.irsa import IRSA
    from irsa_manager.api.irsasetup import IRSASetup


def status(
    target: Annotated[str, typer.Argument(metavar="[NS/NAME]", help="One IRSA; default: all that are asked for.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only this namespace's.")] = "",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces' (default).")] = False,
    output: Output = "table",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
) -> int:
    """Show which IRSAs are ready, and what the controller says of the others.

    Exit status 0 if all are ready, 2 if something isn't.
    """
    import asyncio

    from irsa_manager.api.errors import UsageError
    from irsa_manager.cli.logs import configure_logs

    configure_logs("error")
    if all_namespaces and (namespace or target):
        raise UsageError(
            "Usage", "-A and a namespace exclude each other.", left="Nothing was tried.", hint="Leave -A out."
        )
    place, name = one_key(target, namespace) if target else (namespace, "")
    setups, irsas = asyncio.run(_read(place, name, kubeconfig, context))
    if output in {"json", "yaml"}:
        print_data("Status", as_data(setups, irsas), output)
    else:
        print("\n".join(lines(setups, irsas, datetime.now(UTC), wide=output == "wide")))
    ready = [_ready(setup)[0] for setup in setups] + [_ready(irsa)[0] for irsa in irsas]
    return 0 if set(ready) <= {"True"} else 2


async def _read(namespace: str, name: str, kubeconfig: str, context: str) -> tuple[list[IRSASetup], list[IRSA]]:
    from irsa_manager.api.errors import KubernetesError
    from irsa_manager.kube.client import Kube
    from irsa_manager.kube.errors import CODE_REFUSED
    from irsa_manager.kube.resources import IRSAS, IRSASETUPS

    async with Kube.connect(kubeconfig or None, context or None) as kube:
        if name:
            one = await kube.get(IRSAS, namespace, name)
            if one is None:
                raise KubernetesError(
                    CODE_REFUSED, f"There is no IRSA {namespace}/{name}.", hint="irsa-manager status lists all."
                )
            return [], [one]
        setups = await kube.list(IRSASETUPS, namespace or None)
        found = await kube.list(IRSAS, namespace or None)
        return sorted(setups, key=lambda s: s.key), sorted(found, key=lambda i: i.key)


def lines(setups: Sequence[IRSASetup], irsas: Sequence[IRSA], now: datetime, *, wide: bool = False) -> list[str]:
    """The tables, setups first; below each the messages of what isn't ready."""
    told: list[str] = []
    if setups:
        rows = [["IRSASETUP", "READY", "MODE", "ACCOUNT", "REASON", "AGE"]]
        for setup in setups:
            ready, reason, _ = _ready(setup)
            mode = setup.spec.mode if setup.spec else "-"
            rows.append([setup.key, ready, mode, setup.status.account_id or "-", reason, _age(setup, now)])
        told += [*in_columns(rows), *_messages(setups), ""]
    if not irsas:
        return [*told, "There are no IRSAs."]
    rows = [
        ["IRSA", "READY", "ROLE", "BOUND", "REASON", "AGE", *(["ACCOUNT", "ORIGIN", "LAST WRITTEN"] if wide else [])]
    ]
    for irsa in irsas:
        ready, reason, _ = _ready(irsa)
        bound = str(len(irsa.status.service_accounts))
        row = [irsa.key, ready, _role(irsa) or "-", bound, reason, _age(irsa, now)]
        role = irsa.status.role
        further = [role.account_id or "-", role.origin or "-", irsa.status.last_sync_time or "-"]
        rows.append([*row, *(further if wide else [])])
    return [*told, *in_columns(rows), *_messages(irsas)]


def as_data(setups: Sequence[IRSASetup], irsas: Sequence[IRSA]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "setups": [{"object": setup.key, **_data(setup)} for setup in setups],
        "irsas": [
            {
                "object": irsa.key,
                **_data(irsa),
                "role": _role(irsa),
                "roleARN": irsa.status.role.arn,
                "serviceAccounts": [f"{b.namespace}/{b.name}" for b in irsa.status.service_accounts],
            }
            for irsa in irsas
        ],
    }


def _data(thing: IRSA | IRSASetup) -> dict[str, str]:
    ready, reason, message = _ready(thing)
    return {"ready": ready, "reason": reason, "message": message}


def _messages(things: Sequence[IRSA] | Sequence[IRSASetup]) -> list[str]:
    found = [(thing.key, _ready(thing)) for thing in things]
    return [f"  {key}: {message}" for key, (ready, _, message) in found if ready != "True" and message]


def _ready(thing: IRSA | IRSASetup) -> tuple[str, str, str]:
    """Status, reason and message of Ready, of this generation of the object."""
    condition = next((c for c in thing.status.conditions if c.type == "Ready"), None)
    if condition is None:
        return "Unknown", "-", "No controller has judged it yet."
    seen = condition.observed_generation
    if seen and seen != thing.metadata.generation:
        return "Unknown", condition.reason, "It was changed since; the controller hasn't judged that yet."
    return condition.status, condition.reason, condition.message


def _role(irsa: IRSA) -> str:
    return irsa.status.role.name or (irsa.spec.iam_role.name if irsa.spec else "")


def _age(thing: IRSA | IRSASetup, now: datetime) -> str:
    """How old it is, as kubectl prints it: the largest unit that fits."""
    if not thing.metadata.creation_timestamp:
        return "-"
    seconds = max(0, int((now - datetime.fromisoformat(thing.metadata.creation_timestamp)).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
