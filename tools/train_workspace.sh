#!/usr/bin/env bash
# Make the environment that models are made in, beside the project's own: every package from its hashed lock, the workspace's
# src folders on the path. PyTorch's wheel brings 5.5 GB of libraries for graphics cards and runs without one.
set -euo pipefail
python=$1
venv=$2
train=$3

started=$SECONDS
echo "train-setup: environment in $train, 6 GB, some minutes"
[ -x "$train/bin/python" ] || "$python" -m venv "$train"
"$venv/bin/uv" pip install --quiet --python "$train/bin/python" --require-hashes -r requirements/train.txt
cp "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/bloom-workspace.pth" \
  "$("$train/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/"
echo "train-setup: done in $((SECONDS - started)) s"
