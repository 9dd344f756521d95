"""Limits that a real kernel holds by cgroup v2: User-mode Linux runs the installed command on this machine's files.

Most machines that run tests have version 1, or manage the groups of version 2 themselves.
"""

from __future__ import annotations

import json
import os
import pwd
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
HEAD = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run LANG=C.UTF-8
export XDG_RUNTIME_DIR=/run/user/$(id -u) XDG_STATE_HOME=/run/user/$(id -u)/state
"""
_OFF = "sync; echo o >/proc/sysrq-trigger; sleep 1000"
INIT = f"""{HEAD}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p $XDG_RUNTIME_DIR
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +cpu +pids' >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/delegated
{{folder}}/session /sys/fs/cgroup/delegated '' ''
{_OFF}
"""
# Systemd with a bus, and nothing else of this machine: its files are read-only here.
SYSTEMD_INIT = f"""{HEAD}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t hostfs -o {{folder}} none {{folder}}
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/dbus $XDG_RUNTIME_DIR /run/user/{{user}}/systemd/user
cp {{folder}}/system/* /run/systemd/system
cp {{folder}}/user/* /run/user/{{user}}/systemd/user
chown -R {{user}} /run/user/{{user}}
exec /lib/systemd/systemd --unit=session.target
"""
_OFF_AS_ROOT = f"+/bin/sh -c '{_OFF}'"
ALONE = "[Unit]\nDefaultDependencies=no\n"
DAEMON = (
    "Requires=dbus.socket\n[Service]\nExecStart=/usr/bin/dbus-daemon --{kind} --address=systemd: --nofork --nopidfile\n"
)
# A user that every Debian has. Its session may read what is root's, such as a Python below /root, but not change it.
USER = "daemon"
AS_USER = f"User={USER}\nSlice=user-{{user}}.slice\nEnvironment=XDG_RUNTIME_DIR=/run/user/{{user}} HOME=/run\n"
UNITS = {
    "system/dbus.socket": "[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
    "system/dbus.service": DAEMON.format(kind="system"),
    "system/session.service": "Requires=dbus.socket\nAfter=dbus.socket\n[Service]\n"
    f"ExecStopPost={_OFF_AS_ROOT}\nExecStart={{folder}}/session /sys/fs/cgroup/system.slice procman- .scope\n",
    "system/session.target": "Requires=session.service\n",
    "user/dbus.socket": "[Socket]\nListenStream=%t/bus\n",
    "user/dbus.service": DAEMON.format(kind="session"),
    "user/session.target": "Requires=dbus.socket\n",
}
# What a login as a user has: the user's own manager, and beside it a group of root's that the session is in.
UNITS_OF_USER = {
    **UNITS,
    "system/user@{user}.service": "Requires=dbus.socket\nAfter=dbus.socket\n[Service]\nType=notify\nKillMode=mixed\n"
    f"Delegate=pids memory cpu\n{AS_USER}ExecStart=/lib/systemd/systemd --user --unit=session.target\n",
    "system/session.service": "Requires=user@{user}.service\nAfter=user@{user}.service\n[Service]\n"
    f"{AS_USER}AmbientCapabilities=CAP_DAC_READ_SEARCH\nExecStopPost={_OFF_AS_ROOT}\n"
    # A script of that folder cannot be the command itself: systemd looks for it before the session has its capability.
    "ExecStart=/bin/sh {folder}/session"
    " /sys/fs/cgroup/user.slice/user-{user}.slice/user@{user}.service/app.slice procman- .scope\n",
}
# Its arguments: the folder of the groups, and what is before and after the name of an instance in theirs.
SESSION = f"""{HEAD}
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
status=$?
left() {{{{ find $groups -mindepth 1 -type d -name "$before*$after"; }}}}
n=0
while [ $after ] && [ "$(left)" ] && [ $n -lt 100 ]; do sleep 0.2; n=$((n+1)); done  # systemd removes them
left >left
echo $status >status
"""
UML = shutil.which("linux.uml")
SYSTEMD = ("/lib/systemd/systemd", "/usr/bin/dbus-daemon", "/usr/bin/busctl")


@pytest.mark.skipif(not UML, reason="User-mode Linux is not installed (user-mode-linux)")
@pytest.mark.skipif(os.geteuid() != 0, reason="its root has to be root of these files")
@pytest.mark.parametrize("way", ["groups of its own", "scopes of systemd", "scopes of a user's systemd"])
def test_the_kernel_holds_the_limits_and_says_what_it_killed(place: harness.Place, way: str) -> None:
    by_systemd = way != "groups of its own"
    if by_systemd and not all(map(os.path.exists, SYSTEMD)):
        pytest.skip("systemd and a bus for it are not installed (systemd, dbus)")
    place.procfile(PROCFILE)
    place.write("procman.toml", OVERLAY)
    place.write("session", SESSION.format(folder=place.folder, procman=harness.PROCMAN)).chmod(0o755)
    names = {"folder": str(place.folder), "user": str(pwd.getpwnam(USER).pw_uid)}
    for name, text in (UNITS_OF_USER if "user" in way else UNITS).items() if by_systemd else ():
        place.write(name.format_map(names), ALONE + text.format_map(names))
    init = place.write("init", (SYSTEMD_INIT if by_systemd else INIT).format_map(names))
    init.chmod(0o755)
    place.folder.chmod(0o777)  # a user's session writes into it
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
