"""Install the other tools from their public packages into one folder, without touching the system.

    python benchmarks/peers.py [FOLDER]

PyPI: honcho, supervisor, circus. npm: concurrently, pm2, nf (as `foreman`). Debian: ruby-foreman, unpacked, not
installed. Tools whose client (npm, ruby, apt-get) is missing are left out, with a message.
"""

# ruff: noqa: S603, S607 (running the packages' own clients is what this is for)
from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "build" / "benchmarks"
PYTHON = ("honcho", "supervisor", "circus")
NODE = ("concurrently", "foreman", "pm2")
DEBIAN = ("ruby-foreman", "ruby-thor")


def install(folder: Path) -> None:
    """Install the tools that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, client, work in (("python", "", _python), ("node", "npm", _node), ("debian", "apt-get", _debian)):
        target = folder / name
        if target.exists():
            continue
        if client and not shutil.which(client):
            print(f"{name}: no {client} here; its tools are left out", file=sys.stderr)
            continue
        try:
            work(target)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(target, ignore_errors=True)
            print(f"{name}: {error}; its tools are left out", file=sys.stderr)


def _python(target: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(target)], check=True)
    subprocess.run([str(target / "bin/pip"), "install", "--quiet", *PYTHON], check=True)


def _node(target: Path) -> None:
    target.mkdir()
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(target), *NODE], check=True
    )


def _debian(target: Path) -> None:
    target.mkdir()
    subprocess.run(["apt-get", "download", "--quiet", *DEBIAN], cwd=target, check=True)
    for package in target.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(target)], check=True)


if __name__ == "__main__":
    install(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
