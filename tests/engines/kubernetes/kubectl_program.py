"""kubectl for the installed command: a fake cluster that a file keeps from one call to the next."""

from __future__ import annotations

import fcntl
import os
import pickle
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "src")]

from engines.kubernetes.fake_cluster import FakeCluster  # noqa: E402 (it is found by the path above)
from procman.engines.calls import Call  # noqa: E402 (likewise)


def main() -> int:
    """Answer one call."""
    state = Path(os.environ["FAKE_CLUSTER"])
    words = ("kubectl", *sys.argv[1:])
    stdin = sys.stdin.buffer.read() if "-" in words else b""  # after -f
    with state.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster: FakeCluster = pickle.loads(state.read_bytes()) if state.exists() else FakeCluster()
        outcome = cluster(Call(words, stdin))
        state.write_bytes(pickle.dumps(cluster))
    sys.stdout.buffer.write(outcome.out)
    sys.stderr.buffer.write(outcome.err)
    return outcome.code


if __name__ == "__main__":
    sys.exit(main())
