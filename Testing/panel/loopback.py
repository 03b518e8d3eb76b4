"""A second machine on this one: an ssh server on loopback with keys of its own, and a stand-in for a training."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or (p if Path(p := "/usr/sbin/sshd").is_file() else None)
_EMPTY = Path("/run/sshd")  # which a server started by root asks for; a service makes it when it starts
LIBRARY = Path(__file__).resolve().parents[2]
# Does what a training does to its folder. Its image is the number of its epochs; "deaf" hears no STOP.
WORKER = """
import os, signal, sys, time
from pathlib import Path
from MedSegEffNetLib import __version__
from MedSegEffNetLib.job import Job

words = sys.argv[sys.argv.index("MedSegEffNetLib") + 1 :]
if words == ["--version"]:
    print("medsegeffnet", __version__)
    sys.exit()
value = lambda option: words[words.index(option) + 1]
run, data = Path(value("--run")), Path(value("--data"))
epochs = len(list(data.rglob("*.txt"))) * 5
with Job.open(run, {"command": "train", "data": str(data)}) as job:
    for epoch in range(1, epochs + 1):
        (run / "previews").mkdir(exist_ok=True)
        (run / "previews" / f"{epoch}.png").write_bytes(b"picture")
        job.emit("preview", epoch=epoch, path=f"previews/{epoch}.png")
        job.emit("epoch", epoch=epoch, train_loss=1 / epoch, val_loss=1.0)
        (run / "checkpoints").mkdir(exist_ok=True)
        (run / "checkpoints" / "last.pt").write_text(str(epoch))
        if "deaf" not in words:
            job.check_stop()
        while (data / "wait").exists() and "deaf" not in words:
            job.check_stop()
            time.sleep(0.05)
        time.sleep(60 if "deaf" in words else 0.05)
    (run / "model").mkdir()
    (run / "model" / "bundle.json").write_text("{}")
    job.finish(model="model")
"""


class Loopback:
    """The server; ``ssh`` are the words that lead to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name in ("host", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "key.pub", folder / "authorized")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        lines = [
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}",
            f"AuthorizedKeysFile {folder / 'authorized'}", f"PidFile {folder / 'pid'}", "StrictModes no", "UsePAM no",
            "PasswordAuthentication no", "PermitRootLogin prohibit-password", "MaxStartups 100",
        ]  # fmt: skip
        (folder / "config").write_text("\n".join(lines) + "\n", encoding="utf-8")
        options = ["-F", "none", "-p", str(self.port), "-i", str(folder / "key")]
        options += [
            "-o",
            f"UserKnownHostsFile={folder / 'known'}",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "LogLevel=ERROR",
        ]
        self.ssh = ["ssh", *options, f"{getpass.getuser()}@127.0.0.1"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start the server; whether it lets us in."""
        if getpass.getuser() == "root":
            _EMPTY.mkdir(mode=0o755, exist_ok=True)
        log = (self.folder / "log").open("ab")
        command = [SSHD, "-D", "-e", "-f", str(self.folder / "config")]
        self._process = subprocess.Popen(command, stderr=log, start_new_session=True)
        for _ in range(50):
            if subprocess.run([*self.ssh, "true"], capture_output=True, check=False).returncode == 0:
                return True
            if self._process.poll() is not None:
                return False
            time.sleep(0.1)
        return False

    def stop(self) -> None:
        """End the server; connections that are open break."""
        if self._process is not None:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            for number in children.read_text(encoding="ascii").split() if children.is_file() else []:
                os.kill(int(number), signal.SIGKILL)
            self._process.kill()
            self._process.wait()


needs_ssh = pytest.mark.skipif(
    not (SSHD and shutil.which("rsync") and shutil.which("ssh-keygen")), reason="there is no sshd, or no rsync"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The ssh server."""
    server = Loopback(tmp_path_factory.mktemp("ssh") / "keys")
    if not server.start():
        pytest.skip("the ssh server does not start here, or does not let us in")
    yield server
    server.stop()


@pytest.fixture
def worker(tmp_path):
    """The words that start the stand-in for a training."""
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER), encoding="utf-8")
    return ["env", f"PYTHONPATH={LIBRARY}", sys.executable, str(script)]
