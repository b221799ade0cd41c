"""A real control plane on 127.0.0.1: etcd, kube-apiserver and kube-controller-manager.

Other users of the machine can reach the ports, so each one asks for credentials: etcd for a certificate of the
sandbox's CA, the API server for a token (security: what anybody may read is the issuer's discovery document and key
set, as on EKS, where STS fetches them anonymously).

Flags: https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/ and
.../kube-controller-manager/, https://etcd.io/docs/latest/op-guide/configuration/.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from pathlib import Path

import aiohttp

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.binaries import Binaries
from irsa_manager.sandbox.files import private_directory, write_private
from irsa_manager.sandbox.kubeconfig import write_kubeconfig
from irsa_manager.sandbox.pki import Authority, signing_key
from irsa_manager.sandbox.ports import free_ports
from irsa_manager.sandbox.process import Child

ISSUER_PREFIX = "https://oidc.irsa-manager.test/id/"
API_AUDIENCE = "https://kubernetes.default.svc"
"""Not sts.amazonaws.com: a pod's token for the API server must be worthless at STS, and the other way round."""
SERVICE_RANGE, FIRST_SERVICE = "10.96.0.0/16", "10.96.0.1"
READY_SECONDS = 60.0
POLL_SECONDS = 0.05
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")
PUBLIC_DISCOVERY = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "irsa-manager-sandbox-issuer-discovery"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "system:service-account-issuer-discovery",
    },
    "subjects": [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:unauthenticated"},
    ],
}


class ControlPlane:
    """One cluster, its files in `directory` (0700, made if missing).

    url: the API server, https://127.0.0.1:PORT. issuer: of its ServiceAccount tokens. kubeconfig: a file (0600) with
    an administrator's token. ca_file, ca_pem: what its certificate is verified with. signing_key_file: the RSA key
    (PEM) that signs ServiceAccount tokens. children: by component, while they run.
    """

    def __init__(self, directory: Path, binaries: Binaries) -> None:
        self.directory = private_directory(directory)
        self.issuer = ISSUER_PREFIX + secrets.token_hex(16).upper()
        self._binaries = binaries
        self._logs = private_directory(directory / "logs")
        pki = directory / "pki"
        authority = Authority(pki)
        self._server = authority.issue(
            "kube-apiserver",
            ["127.0.0.1", "localhost", FIRST_SERVICE, "kubernetes.default.svc", "kubernetes.default", "kubernetes"],
        )
        self._etcd = authority.issue("etcd", ["127.0.0.1", "localhost"])
        self.ca_pem, self.ca_file = authority.pem, authority.certificate
        self.signing_key_file = signing_key(pki / "service-account.key")
        self._admin_token, controllers_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._tokens = write_private(
            pki / "tokens.csv",
            f'{self._admin_token},sandbox-admin,sandbox-admin,"system:masters"\n'
            f'{controllers_token},system:kube-controller-manager,controllers,"system:masters"\n',
        )
        self._port, self._etcd_port, self._peer_port = free_ports(3)
        self.url = f"https://127.0.0.1:{self._port}"
        self.kubeconfig = write_kubeconfig(
            directory / "kubeconfig", server=self.url, ca_pem=self.ca_pem, user="sandbox-admin", token=self._admin_token
        )
        self._controllers_kubeconfig = write_kubeconfig(
            pki / "controllers.kubeconfig",
            server=self.url,
            ca_pem=self.ca_pem,
            user="controllers",
            token=controllers_token,
        )
        self.children: dict[str, Child] = {}

    async def start(self) -> None:
        """Start all three and return when the cluster answers and its controllers work.

        Raises SandboxError, with the end of the log, where a component dies or isn't ready in READY_SECONDS; then
        nothing runs any more.
        """
        try:
            for component in COMPONENTS[:2]:
                self.launch(component)
            async with self._session() as session:
                await self._ready(session, "kube-apiserver", "/readyz")
                self.launch("kube-controller-manager")
                await self._publish_discovery(session)
                # The first thing the controllers do that can be seen; pods and tokens need it.
                await self._ready(
                    session, "kube-controller-manager", "/api/v1/namespaces/default/serviceaccounts/default"
                )
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all three at once, the hard way: their data has no use any more."""
        await asyncio.gather(*(child.stop() for child in self.children.values()))
        self.children.clear()

    def launch(self, component: str) -> Child:
        """Start one component (a name of COMPONENTS) with its flags, ports and data, also again after its end."""
        running = self.children.get(component)
        if running is not None and running.returncode is None:
            raise SandboxError("SandboxFailed", f"{component} is running already (pid {running.pid}).")
        argv = {
            "etcd": self._etcd_argv,
            "kube-apiserver": self._apiserver_argv,
            "kube-controller-manager": self._controllers_argv,
        }[component]()
        child = Child.start(component, argv, log=self._logs / f"{component}.log")
        self.children[component] = child
        return child

    async def kill(self, component: str) -> None:
        """End one component with SIGKILL, as a crash would; its data stays, `launch` starts it again."""
        await self.children.pop(component).stop()

    async def wait_ready(self) -> None:
        """Wait until the API server is ready (again). Raises SandboxError as `start`."""
        async with self._session() as session:
            await self._ready(session, "kube-apiserver", "/readyz")

    def _session(self) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cadata=self.ca_pem)
        return aiohttp.ClientSession(
            self.url,
            connector=aiohttp.TCPConnector(ssl=context),
            headers={"Authorization": f"Bearer {self._admin_token}"},
            timeout=aiohttp.ClientTimeout(total=5),
        )

    async def _ready(self, session: aiohttp.ClientSession, component: str, path: str) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_SECONDS
        answer = "no connection"
        while loop.time() < deadline:
            for child in self.children.values():
                if child.returncode is not None:
                    raise child.failure(f"ended with status {child.returncode} before the cluster was ready")
            try:
                async with session.get(path) as response:
                    if response.status == 200:
                        return
                    answer = f"{path} answered {response.status}"
            except (aiohttp.ClientError, TimeoutError) as exc:
                answer = f"{path}: {type(exc).__name__}"
            await asyncio.sleep(POLL_SECONDS)
        raise self.children[component].failure(f"wasn't ready after {READY_SECONDS:.0f} s ({answer})")

    async def _publish_discovery(self, session: aiohttp.ClientSession) -> None:
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        async with session.post(path, json=PUBLIC_DISCOVERY) as response:
            if response.status not in {201, 409}:
                raise SandboxError(
                    "SandboxFailed",
                    f"The API server refused to publish the issuer's documents: {response.status} "
                    f"{await response.text()}",
                )

    def _etcd_argv(self) -> list[str]:
        client, peer = f"https://127.0.0.1:{self._etcd_port}", f"https://127.0.0.1:{self._peer_port}"
        certificate, key, ca = str(self._etcd.certificate), str(self._etcd.key), str(self.ca_file)
        return [
            str(self._binaries.etcd),
            "--name=sandbox",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=sandbox={peer}",
            f"--cert-file={certificate}",
            f"--key-file={key}",
            f"--trusted-ca-file={ca}",
            "--client-cert-auth",
            f"--peer-cert-file={certificate}",
            f"--peer-key-file={key}",
            f"--peer-trusted-ca-file={ca}",
            "--peer-client-cert-auth",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver_argv(self) -> list[str]:
        return [
            str(self._binaries.kube_apiserver),
            f"--etcd-servers=https://127.0.0.1:{self._etcd_port}",
            f"--etcd-cafile={self.ca_file}",
            f"--etcd-certfile={self._etcd.certificate}",
            f"--etcd-keyfile={self._etcd.key}",
            "--bind-address=127.0.0.1",
            # Without it the API server looks for a default route, which a machine without network lacks; and a
            # loopback address isn't allowed in the Endpoints that the reconciler would write.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._port}",
            f"--tls-cert-file={self._server.certificate}",
            f"--tls-private-key-file={self._server.key}",
            f"--service-account-issuer={self.issuer}",
            f"--service-account-jwks-uri={self.issuer}/openid/v1/jwks",
            f"--service-account-key-file={self.signing_key_file}",
            f"--service-account-signing-key-file={self.signing_key_file}",
            f"--api-audiences={API_AUDIENCE}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._tokens}",
            "--allow-privileged=true",
            "--profiling=false",
        ]

    def _controllers_argv(self) -> list[str]:
        return [
            str(self._binaries.kube_controller_manager),
            f"--kubeconfig={self._controllers_kubeconfig}",
            f"--service-account-private-key-file={self.signing_key_file}",
            f"--root-ca-file={self.ca_file}",
            "--use-service-account-credentials=false",
            "--secure-port=0",
            "--leader-elect=false",
            "--profiling=false",
        ]
