"""`irsa-manager policies`: the admission policies, from the program itself."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import typer

from irsa_manager.api import grammar, names, tenancy_policy
from irsa_manager.api.errors import UsageError

_NAME: Final = re.compile(f"{grammar.LABEL}")
_LONGEST: Final = 63


def policies(
    namespace: Annotated[
        str,
        typer.Option("--namespace", "-n", help="The operator's namespace; its IRSASetup is the policies' parameter."),
    ] = names.DEFAULT_NAMESPACE,
    output: Annotated[
        Literal["yaml", "json"], typer.Option("--output", "-o", help="yaml: a document each; json: one List.")
    ] = "yaml",
) -> None:
    """Print the admission policies, for an administrator's kubectl apply -f - (the manager never writes them).

    irsa-manager-tenancy refuses IRSAs that the IRSASetup's tenancy doesn't allow as they are applied. Without it the
    controller refuses them all the same, in their status.
    """
    if not _NAME.fullmatch(namespace) or len(namespace) > _LONGEST:
        raise UsageError(
            "Usage",
            f"{namespace!r} can't be a namespace: lower-case letters, digits and '-', at most {_LONGEST} characters.",
            left="nothing was printed",
            hint="irsa-manager policies --namespace NAMESPACE",
        )
    documents = tenancy_policy.documents(namespace)
    if output == "json":
        import msgspec

        listed = {"kind": "List", "apiVersion": "v1", "items": documents}
        print(msgspec.json.format(msgspec.json.encode(listed)).decode())
        return
    import yaml

    print(yaml.safe_dump_all(documents, sort_keys=False, width=110, allow_unicode=True), end="")
