"""Codes that only commands use."""

from typing import Final

from irsa_manager.api.reason import Reason

REASONS: Final = (
    Reason(
        code="Usage",
        kinds=("command",),
        summary="The command line, or a file that it names, is wrong; nothing was tried.",
        meaning=(
            "An option or argument is unknown, missing or has a value that can't be. The exit status is 1: 2 is kept "
            "for `changes pending` and `refused`."
        ),
        steps=("Add --help to the command: it lists the options with an example.",),
        what="{error}",
        left="Nothing was tried.",
        next="{hint}",
    ),
    Reason(
        code="UnknownReason",
        kinds=("command",),
        summary="There is no reason of that name.",
        meaning="The codes of conditions, events and errors are words of one list, and this one isn't in it.",
        steps=("`irsa-manager help` lists all of them.",),
        what="{code!r} isn't a reason that irsa-manager knows.",
        next="{hint}",
    ),
    Reason(
        code="ConfirmationRequired",
        kinds=("command",),
        summary="The command changes something, and nobody can be asked whether it may.",
        meaning=(
            "A command that writes shows first what it would do and asks. Here there is no terminal to ask at, or the "
            "answer was no."
        ),
        steps=(
            "Read what it would do, which it has printed.",
            "Run it again at a terminal, or with --yes.",
        ),
        what="{what} isn't done without a confirmation.",
        left="Nothing was changed.",
        next="Run it again with --yes.",
    ),
    Reason(
        code="TimedOut",
        kinds=("command",),
        summary="A command wasn't done within the time that --timeout allows.",
        meaning=(
            "Cluster, account or controller took longer than --timeout (60s, if it isn't given). The command has "
            "ended; the message says what it was waiting for, and what was left as it was."
        ),
        steps=(
            "Run it again with -v: it shows each call, and which of them takes so long.",
            "Large clusters and accounts take longer: --timeout 10m.",
        ),
        what="Not done within {seconds} s; it was waiting for {what}.",
        left="{left}",
        next="Run it again with a longer --timeout; -v shows each call.",
    ),
    Reason(
        code="SandboxNotRunning",
        kinds=("command",),
        summary="There is no sandbox running in that directory.",
        meaning="A sandbox lives in a directory (--dir) and ends with its process.",
        steps=("`irsa-manager sandbox up --detach`, with the same --dir.",),
        what="No sandbox is running in {directory}.",
        next="Start one: irsa-manager sandbox up --detach",
    ),
    Reason(
        code="SandboxRunning",
        kinds=("command",),
        summary="A sandbox is running in that directory already.",
        meaning="A directory holds one sandbox. Several can run side by side in directories of their own.",
        steps=(
            'To use it: `eval "$(irsa-manager sandbox env)"`, with the same --dir.',
            "To end it: `irsa-manager sandbox down`, with the same --dir.",
            "For a second one: `irsa-manager sandbox up --dir OTHER`.",
        ),
        what="A sandbox is running in {directory} already (pid {pid}).",
        left="It was left running.",
        next="Use it (irsa-manager sandbox env), end it (irsa-manager sandbox down), or choose another --dir.",
    ),
    Reason(
        code="SandboxFailed",
        kinds=("command",),
        summary="The sandbox couldn't do what was asked.",
        meaning=(
            "A part of the local cluster or of the local AWS didn't start or stopped. What was started is stopped "
            "again; the part's own log says why."
        ),
        steps=(
            "`irsa-manager sandbox logs COMPONENT`, with the same --dir, shows the part's log.",
            "Is the disk full, or a number of processes limited (ulimit -u)?",
        ),
        what="{component}: {error}",
        left="What had been started was stopped again.",
        next="irsa-manager sandbox logs {component}",
    ),
    Reason(
        code="ControlPlaneMissing",
        kinds=("command",),
        summary="The control plane's programs aren't there and couldn't be got.",
        meaning=(
            "The sandbox runs a real kube-apiserver, kube-controller-manager and etcd. They are looked for in "
            "KUBEBUILDER_ASSETS, on PATH and in the user's cache, then downloaded, then built with Go; the error "
            "names what was tried where."
        ),
        steps=(
            "Set KUBEBUILDER_ASSETS to a directory that holds the three programs (setup-envtest fetches them).",
            "Or install Go and let `irsa-manager sandbox build` make them once; it needs a Go module proxy.",
        ),
        what="The control plane's programs can't be had: {error}",
        left="Nothing was started.",
        next="Set KUBEBUILDER_ASSETS, or install Go and run irsa-manager sandbox build.",
    ),
    Reason(
        code="SandboxExtraMissing",
        kinds=("command",),
        summary="The sandbox's libraries aren't installed.",
        meaning="Sandbox and demo are an extra of the package, so that the operator's image doesn't carry them.",
        steps=("pip install 'irsa-manager[sandbox]'",),
        what="The sandbox isn't installed: {missing} is missing.",
        next="pip install 'irsa-manager[sandbox]'",
    ),
    Reason(
        code="SystemRefused",
        kinds=("command",),
        summary="The operating system refused to write, to open or to start something.",
        meaning=(
            "The disk is full or read-only, a file's rights don't allow it, a name is too long, or a limit on files or "
            "processes is reached. The message names the file where there is one; without a file it is the output."
        ),
        steps=(
            "`df -h` shows full disks, `ls -ld` whose a directory is, `ulimit -a` the limits.",
            "Then run it again.",
        ),
        what="{error}",
        next="See to the disk, the file's rights or the limit (df, ls -ld, ulimit -a), then run it again.",
    ),
    Reason(
        code="Unexpected",
        kinds=("command",),
        summary="A fault of irsa-manager itself.",
        meaning="Something happened that nobody thought of. It isn't your fault.",
        steps=("Run it again with --debug, and report the traceback.",),
        what="irsa-manager failed: {error}",
        next="Run it again with --debug and report what it prints.",
    ),
)
