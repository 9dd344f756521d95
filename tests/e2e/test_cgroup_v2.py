"""Limits that a real kernel holds by cgroup v2: User-mode Linux runs the installed command on this machine's files.

Most machines that run tests have version 1, or manage the groups of version 2 themselves.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

import harness

PROCFILE = f"""hog: exec {sys.executable} -c "x = bytearray(200 << 20); import time; time.sleep(1000)"
forks: (while :; do sleep 1000 & done); exec sleep 1000
busy: while :; do :; done
"""
OVERLAY = """process.hog.memory_max = "60m"
process.hog.max_restarts = 0
process.forks.pids_max = 6
process.busy.cpu_max = 0.25
"""
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run XDG_RUNTIME_DIR=/run/user XDG_STATE_HOME=/run/state LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -m 700 /run/user
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +cpu +pids' >/sys/fs/cgroup/cgroup.subtree_control
groups=/sys/fs/cgroup/delegated
mkdir $groups
cd {folder}
sh -c "echo \\$\\$ >$groups/cgroup.procs; exec {procman} start --no-port --exit never" >out 2>&1 &
session=$!
n=0
until grep -q 'hog.1 FAILED' out || [ $n = 300 ]; do sleep 0.2; n=$((n+1)); done
until grep -q 'max [1-9]' $groups/forks.1-*/pids.events || [ $n = 600 ]; do sleep 0.2; n=$((n+1)); done
{procman} ps --json >rows
cat $groups/forks.1-*/pids.max $groups/busy.1-*/cpu.max >limits
grep max $groups/forks.1-*/pids.events >refused
kill $session
wait $session
echo $? >status
find $groups -mindepth 1 -type d >left
sync
echo o >/proc/sysrq-trigger
sleep 1000
"""


@pytest.mark.skipif(not shutil.which("linux.uml"), reason="User-mode Linux is not installed (user-mode-linux)")
@pytest.mark.skipif(os.geteuid() != 0, reason="its root has to be root of these files")
def test_the_kernel_holds_the_limits_and_says_what_it_killed(place: harness.Place) -> None:
    place.procfile(PROCFILE)
    place.write("procman.toml", OVERLAY)
    init = place.write("init", INIT.format(folder=place.folder, procman=harness.PROCMAN))
    init.chmod(0o755)
    argv = ["linux.uml", "mem=512M", f"uml_dir={place.folder}", "con=null", "con0=fd:0,fd:1"]
    argv += ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", f"init={init}"]
    env = {**os.environ, "TMPDIR": str(place.folder)}  # its memory is a file there
    done = subprocess.run(argv, input=b"", capture_output=True, env=env, timeout=harness.LIMIT * 3, check=False)

    assert (place.folder / "status").exists(), done.stdout.decode(errors="replace")[-4000:]
    said = (place.folder / "out").read_text()
    assert "hog.1 FAILED: killed by the kernel: 60.0 MiB of 60 MiB" in said
    assert "warning: memory_max" not in said
    states = {row["name"]: row["state"] for row in json.loads((place.folder / "rows").read_text())["instances"]}
    assert states == {"hog.1": "failed", "forks.1": "running", "busy.1": "running"}
    assert (place.folder / "limits").read_text() == "6\n25000 100000\n"
    assert int((place.folder / "refused").read_text().split()[1]) > 0  # forks
    assert (place.folder / "status").read_text() == "0\n"
    assert [line.rpartition("/")[2] for line in (place.folder / "left").read_text().split()] == ["procman"]
