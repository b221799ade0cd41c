"""Small parts: ports, private files, certificates, keys, progress in a pipe."""

from __future__ import annotations

import io
import re
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from irsa_manager.sandbox.account import random_access_key
from irsa_manager.sandbox.files import private_directory, write_private
from irsa_manager.sandbox.pki import Authority, signing_key
from irsa_manager.sandbox.ports import EPHEMERAL, free_ports
from irsa_manager.sandbox.progress import Lines, progress_on


def test_free_ports_can_be_listened_on_and_are_out_of_the_kernels_way() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert max(ports) < int(EPHEMERAL.read_text().split()[0])
    sockets = [socket.create_server(("127.0.0.1", port)) for port in ports]
    assert not set(ports) & set(free_ports(50))
    for listening in sockets:
        listening.close()


def test_private_files_are_private_whatever_the_umask_and_replaced_in_one_step(tmp_path: Path) -> None:
    directory = private_directory(tmp_path / "a" / "b")
    file = write_private(directory / "key", "one")
    inode = file.stat().st_ino
    write_private(file, b"two")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("two", 0o600)
    assert file.stat().st_ino != inode
    assert {path.stat().st_mode & 0o777 for path in (directory, directory.parent)} == {0o700}
    assert [path.name for path in directory.iterdir()] == ["key"]


def test_certificates_verify_against_their_own_authority_only(tmp_path: Path) -> None:
    first, second = Authority(tmp_path / "one"), Authority(tmp_path / "two")
    pair = first.issue("server", ["127.0.0.1", "localhost"])
    leaf = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    outcomes = []
    for authority in (first, second):
        store = Store([x509.load_pem_x509_certificate(authority.pem.encode())])
        verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName("localhost"))
        try:
            verifier.verify(leaf, [])
            outcomes.append(True)
        except x509.verification.VerificationError:
            outcomes.append(False)
    assert outcomes == [True, False]
    assert pair.key.stat().st_mode & 0o777 == 0o600


def test_the_signing_key_is_rsa_2048_and_new_each_time(tmp_path: Path) -> None:
    keys = [load_pem_private_key(signing_key(tmp_path / str(n)).read_bytes(), None) for n in range(2)]
    assert [key.key_size for key in keys] == [2048, 2048]
    assert keys[0].public_key() != keys[1].public_key()


def test_access_keys_have_awss_form_and_are_random() -> None:
    made = {random_access_key() for _ in range(50)}
    assert len({key_id for key_id, _ in made}) == len({secret for _, secret in made}) == 50
    assert all(re.fullmatch(r"AKIA[A-Z2-7]{16}", key_id) and len(secret) == 40 for key_id, secret in made)


def test_progress_in_a_pipe_is_plain_lines() -> None:
    stream = io.StringIO()
    progress = progress_on(stream)
    assert type(progress) is Lines
    progress.say("hello")
    with progress.work("etcd") as update:
        update(1, 2)
        update(2, 2)
    assert re.fullmatch(r"hello\n  etcd \.\.\.\n  etcd: done in 0 s\n", stream.getvalue())
    assert "\x1b" not in stream.getvalue()
