#!/usr/bin/env bash
# Make the project's environment: uv from its hashed lock, every package from its hashed lock, and the
# workspace's own src folders on the path. Needs Python >= 3.11, Java >= 17 and Maven; no step needs root.
set -euo pipefail
python=$1
venv=$2

fail() { echo "setup: $1" >&2; exit 1; }

command -v "$python" >/dev/null || fail "no '$python' on the PATH: install Python 3.11 or newer, or say which: make setup PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || fail "$("$python" --version) is too old: Python 3.11 or newer is needed (make setup PYTHON=python3.12)"
command -v java >/dev/null || fail "no 'java' on the PATH: Apache Kafka needs Java 17 or newer"
java=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1)
[ "${java:-0}" -ge 17 ] || fail "Java ${java:-of an unknown version} is too old: Apache Kafka needs Java 17 or newer"
command -v mvn >/dev/null || fail "no 'mvn' on the PATH: Maven fetches Apache Kafka"

started=$SECONDS
echo "setup: environment in $venv ($("$python" --version))"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
echo "setup: locked packages (hashes checked)"
"$venv/bin/uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes -r requirements/dev.txt
"$venv/bin/python" - <<'PATHS'
"""Put the workspace's src folders, and the root for `tests.faults` and `tests.bench`, on the environment's path."""
import pathlib
import sysconfig

root = pathlib.Path.cwd()
folders = [root, *sorted(p for group in ("libs", "services", "deploy") for p in (root / group).glob("*/src")), root / "tools/src"]
pathlib.Path(sysconfig.get_path("purelib"), "bloom-workspace.pth").write_text("".join(f"{folder}\n" for folder in folders))
PATHS
echo "setup: done in $((SECONDS - started)) s"
