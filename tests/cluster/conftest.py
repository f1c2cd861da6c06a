"""A real Slurm of one node on this machine: controller, node daemon and munge, in a folder of their own."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
MailProg=/bin/true
KillWait=5
MinJobAge=3600
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1024 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm; its commands, and those of `commands`, find it by the environment."""

    folder: Path
    commands: Any

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf"), "OMP_NUM_THREADS": "1"}

    def ask(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def state_of(self, job: int | str) -> dict[str, str]:
        """Fields of a job as scontrol shows them; of an array's first task."""
        text = self.ask("scontrol", "show", "job", str(job))
        return dict(word.split("=", 1) for word in text.split("\n\n")[0].split() if "=" in word)

    def wait_for(self, jobs: dict[str, dict[str, Any]], timeout_s: float) -> None:
        """Waits until none of the jobs that a command has submitted is in the queue."""
        numbers = ",".join(str(row["job_id"]) for row in jobs.values())
        until = time.monotonic() + timeout_s
        while left := self.ask("squeue", "--noheader", f"--jobs={numbers}"):
            assert time.monotonic() < until, left
            time.sleep(0.5)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory, commands: Any) -> Iterator[Slurm]:
    """Starts Slurm; skips where its packages (Debian: slurm-wlm, munge) or the rights to start it are missing."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no real Slurm here: {', '.join(missing)} not installed (Debian packages slurm-wlm and munge)")
    if os.geteuid() != 0:
        pytest.skip("no real Slurm here: only root may start its daemons")
    # munge wants every folder above its socket to be its own or root's.
    folder = tmp_path_factory.mktemp("slurm")
    names = ("munge", "state", "spool")
    for name in names:
        (folder / name).mkdir(mode=0o700)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    host, ports = socket.gethostname().partition(".")[0], _free_ports(2)
    # More processors than there are, where tasks mostly wait.
    cpus = 2 + (os.cpu_count() or 1)
    text = CONFIGURATION.format(host=host, folder=folder, cpus=cpus, controller=ports[0], daemon=ports[1])
    (folder / "slurm.conf").write_text(text)
    started = Slurm(folder, commands)
    daemons = [
        ["munged", "--foreground", "--force", *(f"--{a}={folder}/munge/{b}" for a, b in _MUNGE.items())],
        ["slurmctld", "-D", "-c"],
        ["slurmd", "-D", "-c", "-N", host],
    ]
    running = []
    try:
        for command in daemons:
            log = (folder / f"{command[0]}.out").open("wb")
            running.append(subprocess.Popen(command, env=started.environment, stdout=log, stderr=log))
            log.close()
            time.sleep(1)
        _wait_for_node(started)
        yield started
    finally:
        # What a test has left in the queue must not run on after it.
        cancel = ["scancel", "--full", "--signal=KILL", "--state=RUNNING", "--me"]
        for command in (["scancel", "--me", "--state=PENDING"], cancel):
            subprocess.run(command, env=started.environment, capture_output=True, timeout=30, check=False)
        for process in reversed(running):
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


_MUNGE = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}


def _wait_for_node(started: Slurm) -> None:
    until = time.monotonic() + 60
    while True:
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%t"], env=started.environment, capture_output=True, text=True, check=False
        )
        if done.stdout.strip() == "idle":
            return
        if time.monotonic() > until:
            logs = "\n".join(path.read_text()[-1500:] for path in started.folder.glob("*.log"))
            pytest.fail(f"Slurm did not start: {done.stdout}{done.stderr}\n{logs}")
        time.sleep(0.5)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
