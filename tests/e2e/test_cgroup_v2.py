"""Limits that a real kernel holds by cgroup v2: User-mode Linux runs the installed command on this machine's files.

Most machines that run tests have version 1, or manage the groups of version 2 themselves.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

import harness

# Each does nothing before it is in its group: what it takes before that is not counted there.
PROCFILE = f"""hog: {{held}}; exec {sys.executable} -c "x = bytearray(200 << 20); import time; time.sleep(1000)"
forks: {{held}}; (while :; do sleep 1000 & done); exec sleep 1000
busy: {{held}}; while :; do :; done
""".format(held="until grep -q $PS- /proc/$$/cgroup; do sleep 0.1; done")
OVERLAY = """process.hog.memory_max = "60m"
process.hog.max_restarts = 0
process.forks.pids_max = 6
process.busy.cpu_max = 0.25
"""
AS_ROOT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run XDG_RUNTIME_DIR=/run/user XDG_STATE_HOME=/run/state LANG=C.UTF-8
"""
INIT = f"""{AS_ROOT}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +cpu +pids' >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/delegated
exec {{folder}}/session /sys/fs/cgroup/delegated '' ''
"""
# Systemd with a bus, and nothing else of this machine: its files are read-only here.
SYSTEMD_INIT = f"""{AS_ROOT}
mount -t hostfs -o {{folder}} none {{folder}}
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/dbus
cp {{folder}}/*.socket {{folder}}/*.service {{folder}}/*.target /run/systemd/system
exec /lib/systemd/systemd --unit=session.target
"""
ALONE = "[Unit]\nDefaultDependencies=no\n"
UNITS = {
    "dbus.socket": "[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
    "dbus.service": "Requires=dbus.socket\n[Service]\n"
    "ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile\n",
    "session.service": "Requires=dbus.socket\nAfter=dbus.socket\n[Service]\n"
    "ExecStart={folder}/session /sys/fs/cgroup/system.slice procman- .scope\n",
    "session.target": "Requires=session.service\n",
}
# Its arguments: the folder of the groups, and what is before and after the name of an instance in theirs.
SESSION = f"""{AS_ROOT}
mkdir -m 700 /run/user
cd {{folder}}
groups=$1 before=$2 after=$3
sh -c "[ $after ] || echo \\$\\$ >$groups/cgroup.procs; exec {{procman}} start --no-port --exit never" >out 2>&1 &
session=$!
until grep -q 'hog.1 FAILED' out || ! kill -0 $session; do sleep 0.2; done
until grep -qs 'max [1-9]' $groups/$before*forks.1-*$after/pids.events || ! kill -0 $session; do sleep 0.2; done
{{procman}} ps --json >rows
cat $groups/$before*forks.1-*$after/pids.max $groups/$before*busy.1-*$after/cpu.max >limits
grep max $groups/$before*forks.1-*$after/pids.events >refused
kill $session
wait $session
echo $? >status
find $groups -mindepth 1 -type d -name "$before*" >left
sync
echo o >/proc/sysrq-trigger
sleep 1000
"""
UML = shutil.which("linux.uml")
SYSTEMD = ("/lib/systemd/systemd", "/usr/bin/dbus-daemon", "/usr/bin/busctl")


@pytest.mark.skipif(not UML, reason="User-mode Linux is not installed (user-mode-linux)")
@pytest.mark.skipif(os.geteuid() != 0, reason="its root has to be root of these files")
@pytest.mark.parametrize("way", ["groups of its own", "scopes of systemd"])
def test_the_kernel_holds_the_limits_and_says_what_it_killed(place: harness.Place, way: str) -> None:
    by_systemd = way == "scopes of systemd"
    if by_systemd and not all(map(os.path.exists, SYSTEMD)):
        pytest.skip("systemd and a bus for it are not installed (systemd, dbus)")
    place.procfile(PROCFILE)
    place.write("procman.toml", OVERLAY)
    place.write("session", SESSION.format(folder=place.folder, procman=harness.PROCMAN)).chmod(0o755)
    for name, text in UNITS.items() if by_systemd else ():
        place.write(name, ALONE + text.format(folder=place.folder))
    init = place.write("init", (SYSTEMD_INIT if by_systemd else INIT).format(folder=place.folder))
    init.chmod(0o755)
    argv = [str(UML), "mem=512M", "log_buf_len=1M", f"uml_dir={place.folder}", "con=null", "con0=fd:0,fd:1"]
    argv += ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro" if by_systemd else "rw", f"init={init}"]
    env = {**os.environ, "TMPDIR": str(place.folder)}  # its memory is a file there
    console = _boot(argv, env)

    assert (place.folder / "status").exists(), console
    said = (place.folder / "out").read_text()
    assert "hog.1 FAILED: killed by the kernel: 60.0 MiB of 60 MiB" in said, said
    assert "warning: memory_max" not in said
    states = {row["name"]: row["state"] for row in json.loads((place.folder / "rows").read_text())["instances"]}
    assert states == {"hog.1": "failed", "forks.1": "running", "busy.1": "running"}
    assert (place.folder / "limits").read_text() == "6\n25000 100000\n"
    assert int((place.folder / "refused").read_text().split()[1]) > 0  # forks
    assert (place.folder / "status").read_text() == "0\n"
    left = [line.rpartition("/")[2] for line in (place.folder / "left").read_text().split()]
    assert left == ([] if by_systemd else ["procman"])


def _boot(argv: list[str], env: dict[str, str]) -> str:
    """Run a machine until it switches itself off, and return the end of what it has printed."""
    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(argv, stdin=null, stdout=pipe, stderr=pipe, env=env, start_new_session=True) as machine:
        try:
            output, _ = machine.communicate(timeout=harness.LIMIT * 3)
        except BaseException:
            os.killpg(machine.pid, signal.SIGKILL)  # it has a process for each of its own
            raise
    return output.decode(errors="replace")[-4000:]
