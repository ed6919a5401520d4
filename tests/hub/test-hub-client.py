#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the JavaScript client in the build folder and runs it against exo-test-hub.

usage: test-hub-client.py PROGRAM MAKE-SAMPLE NODE-FOLDER

Exits 77, the way to say "skipped", where npm cannot install it."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from hubtest import Hub

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def install(folder):
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", folder)
    if (folder / "node_modules/@huggingface/hub/package.json").exists():
        return
    if not shutil.which("npm") or not shutil.which("node"):
        skip("node and npm are not installed")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        skip("npm install took too long")
    if done.returncode != 0:
        skip("npm install failed: " + done.stderr.strip()[-300:])


def make_root(root, make_sample):
    for name in ("org/sample", "org/plain"):
        subprocess.run([make_sample, root, "--size", "6000000", "--name", name], check=True)
    files = {"models/org/gated/main/big.bin": b"secret" * 10,
             "models/org/gated/repo.json": b'{"gated":"auto","tokens":["hf_in"]}'}
    files |= {f"datasets/org/many/main/d{i % 7}/f{i:04}.txt": b"%d" % i for i in range(1100)}
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    # The client writes names into URLs as they are; a # in one cuts the URL short
    for path in (root / "models/org/plain/main").glob("a name*"):
        path.unlink()


def main():
    program, make_sample, node_folder = sys.argv[1:4]
    install(pathlib.Path(node_folder))
    with tempfile.TemporaryDirectory(prefix="exo-hub-client-") as folder:
        root = pathlib.Path(folder)
        make_root(root, make_sample)
        hub = Hub(program, root)
        try:
            client = subprocess.run(["node", HERE / "test-hub-client.mjs", hub.base, root],
                                    cwd=node_folder, timeout=100)
        finally:
            stopped = hub.stop()
        sys.exit(client.returncode or stopped)


if __name__ == "__main__":
    main()
