# SPDX-License-Identifier: Apache-2.0
"""What the tests of the packages share: one folder of work a run, and the packages, built once."""

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from lab import Failure, need, run

TREE = Path(__file__).resolve().parent.parent.parent
BUILD_S = 1200
SOURCE = {'deb': ['--source'], 'rpm': []}
# Set by tests/packaging/run: mounts made here are seen by nobody else.
OWN_MOUNTS = 'EXO_PACKAGING_OWN_MOUNTS'
_MEMORY_KIB = 12 << 20


def once(function):
    """What a call with these arguments returned is kept; threads that ask meanwhile wait for it."""
    kept, locks, guard = {}, {}, threading.Lock()

    @functools.wraps(function)
    def ask(*words):
        with guard:
            lock = locks.setdefault(words, threading.Lock())
        with lock:
            if words not in kept:
                kept[words] = function(*words)
            return kept[words]
    return ask


def _memory():
    """A file system in memory for roots, where apt does not wait for disks; seen by this run alone, so gone with it."""
    free = int(re.search(r'^MemAvailable: +(\d+) kB', Path('/proc/meminfo').read_text(), re.M)[1])
    return OWN_MOUNTS in os.environ and 'EXO_PACKAGING_KEEP' not in os.environ and free >= _MEMORY_KIB


@once
def work():
    """A folder for everything, gone at the end of the run."""
    folder = Path(tempfile.mkdtemp(prefix='exo-packaging-'))
    if 'EXO_PACKAGING_KEEP' not in os.environ:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if _memory():
        run('mount', '-t', 'tmpfs', '-o', 'size=75%,mode=755', 'tmpfs', folder)
        atexit.register(run, 'umount', '-l', folder)
    return folder


def version():
    return run(TREE / 'packaging' / 'version').stdout.strip()


def silent(*words, **more):
    """Tools that find something and end with 0 all the same: any word of theirs is a failure."""
    done = run(*words, check=False, **more)
    need(not done.returncode and not done.stdout.strip() and not done.stderr.strip(),
         f'{" ".join(str(word) for word in words)}: exit {done.returncode}\n{done.stdout}{done.stderr}')


def logged(log, *words, **more):
    """A long command; its output is shown if it fails."""
    with open(log, 'wb') as file:
        code = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              check=False, **more).returncode
    if code:
        raise Failure(f'{" ".join(str(word) for word in words)}: exit {code}\n'
                      + '\n'.join(Path(log).read_text(errors='replace').splitlines()[-30:]))


@once
def built(kind):
    """The packages of this tree, built here, with the source where there is such a package: kind is deb or rpm."""
    out = work() / kind
    logged(work() / f'{kind}.log', TREE / 'packaging' / f'build-{kind}', *SOURCE[kind], out, timeout=BUILD_S)
    found = {name: next(out.glob(pattern)) for name, pattern in (
        ('exo-agent', f'exo-agent[_-][0-9]*.{kind}'), ('exo-agent-tray', f'exo-agent-tray[_-][0-9]*.{kind}'))}
    return found


def unpacked(kind, name):
    """The files of a package, below a folder."""
    folder, package = work() / f'{kind}-{name}', built(kind)[name]
    if not folder.exists():
        folder.mkdir()
        if kind == 'deb':
            run('dpkg-deb', '-x', package, folder)
        else:
            run('sh', '-ec', 'rpm2cpio "$1" | (cd "$2" && cpio -idm --quiet --no-absolute-filenames)', 'sh', package, folder)
    return folder


def text_of(path):
    return (TREE / path).read_text(encoding='utf-8')


def first(pattern, text, what):
    found = re.search(pattern, text, re.M)
    need(found, f'{what}: nothing like {pattern}')
    return found[1]
