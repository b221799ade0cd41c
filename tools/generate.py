"""Write what is made from code: the chart's CRDs and policies, the references of reasons and of the command line, and
the page on troubleshooting.

    python -m tools.generate            write them
    python -m tools.generate --check    exit 1 and name the files that differ

`make generate` and `make lint` call it; tests/unit/api/test_generated.py holds it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from irsa_manager.api import crd, reasons, tenancy_policy
from irsa_manager.api.reason import Reason
from tools import cli_reference, troubleshooting

ROOT: Final = Path(__file__).resolve().parent.parent
_NOTICE: Final = "made by `make generate` from irsa_manager/api; change it there"


class _Block(yaml.SafeDumper):
    """YAML as people write it: list items indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never without indent."""
        super().increase_indent(flow, indentless=False)


def files() -> dict[str, str]:
    """Each generated file's text by its path below the repository's root."""
    return {
        "charts/irsa-manager/crds/irsa-crd.yaml": _yaml(crd.irsa_definition()),
        "charts/irsa-manager/crds/irsasetup-crd.yaml": _yaml(crd.irsasetup_definition()),
        "charts/irsa-manager/policies/tenancy.yaml": _yaml(*tenancy_policy.documents()),
        "docs/reference/cli.md": cli_reference.page(_NOTICE.replace("api", "cli")),
        "docs/reference/reasons.md": reasons_page(),
        "docs/troubleshooting.md": troubleshooting.page(f"{_NOTICE}, or in tools/troubleshooting.md"),
    }


def stale(root: Path = ROOT) -> list[str]:
    """Paths of the generated files that are missing below root or differ from what would be written."""
    return [path for path, text in files().items() if not (root / path).is_file() or (root / path).read_text() != text]


def write(root: Path = ROOT) -> list[str]:
    """Write what is stale; returns its paths."""
    changed = stale(root)
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files()[path])
    return changed


def reasons_page() -> str:
    """The reference of reasons, in Markdown."""
    parts = [
        f"<!-- {_NOTICE} -->",
        "# Reasons",
        "One vocabulary everywhere: a condition's or an event's reason, a log line's code and the code of a command's "
        "error are the same words. Each is explained below, and offline by `irsa-manager help CODE`. A message says in "
        "this order: what happened, to which object; what was left as it was; what to do next.",
    ]
    for title, group in reasons.GROUPS:
        parts.append(f"## {title}")
        parts.append(
            "\n".join(
                ["| reason | in short |", "|---|---|"]
                + [f"| [{reason.code}](#{reason.code.lower()}) | {reason.summary} |" for reason in group]
            )
        )
        parts += [_section(reason) for reason in group]
    return "\n\n".join(parts) + "\n"


def _section(reason: Reason) -> str:
    where = ", ".join(_WHERE.get(kind, f"condition `{kind}`") for kind in reason.kinds)
    lines = [f"### {reason.code}", reason.meaning]
    if reason.steps:
        lines.append("\n".join(f"{number}. {step}" for number, step in enumerate(reason.steps, start=1)))
    lines.append(f"Message: `{reason.readable}`")
    stalled = "; stalled until somebody acts" if reason.stalled else ""
    lines.append(f"Met in: {where}{stalled}.")
    return "\n\n".join(lines)


_WHERE: Final = {"event": "events", "command": "errors of commands"}


def _yaml(*documents: dict[str, Any]) -> str:
    text = yaml.dump_all(documents, Dumper=_Block, sort_keys=False, width=110, allow_unicode=True)
    return f"# {_NOTICE}.\n{text}"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a file differs")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository, by default this one")
    options = parser.parse_args(arguments)
    if options.check:
        differing = stale(options.root)
        for path in differing:
            sys.stderr.write(f"{path} differs from what `make generate` would write\n")
        return 1 if differing else 0
    for path in write(options.root):
        sys.stdout.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
