# SPDX-License-Identifier: Apache-2.0
"""What the tests of the packages share: one folder of work a run, and the packages, built once."""

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import Failure, need, run

TREE = Path(__file__).resolve().parent.parent.parent
BUILD_S = 600
SOURCE = {'deb': ['--source'], 'rpm': []}


@functools.cache
def work():
    """A folder for everything, gone at the end of the run."""
    folder = Path(tempfile.mkdtemp(prefix='exo-packaging-'))
    if 'EXO_PACKAGING_KEEP' not in os.environ:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
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


@functools.cache
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


def from_readme(start):
    """The one command of the README that starts so, without sudo and what is said of it."""
    found = {line.split(' #')[0].strip() for line in text_of('README.md').splitlines() if line.startswith('    ' + start)}
    need(len(found) == 1, f'README: {start}: {sorted(found)}')
    return found.pop().removeprefix('sudo ')
