# SPDX-License-Identifier: Apache-2.0
"""The list of lab tests, and the running of them one by one."""

import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import lab
import sandbox
from sample import Sample, Wrong

MIB = 1 << 20
# name: (bytes, model). Sizes fit the link rates: see the README.
_SAMPLES = {'big': (224 * MIB, 'lab/big'), 'medium': (72 * MIB, 'lab/medium'), 'small': (16 * MIB, 'lab/small')}
_cases = {}
_apart = set()
_samples = {}


class Skip(Exception):
    """The test cannot run here, and why."""


def case(group, apart=False):
    """Marks a test: a function that returns the facts to print, named as the claim it checks. Apart: runs only when named."""
    def add(function):
        _cases[function.__name__] = (function, group)
        if apart:
            _apart.add(function.__name__)
        return function
    return add


def sample(name):
    """One of the common samples, made once a run and read only."""
    if name not in _samples:
        size, model = _SAMPLES[name]
        _samples[name] = Sample.make(tool(), sandbox.root() / 'samples' / name, model, size)
    return _samples[name]


def tool():
    """tests/hub/make-sample, from the build or, if it is a script, from the tree."""
    script = lab.TREE / 'tests' / 'hub' / 'make-sample'
    return script if script.exists() else lab.program('make-sample')


def _run_one(name, function):
    start = time.monotonic()
    try:
        facts = function() or ''
        result = 'ok'
    except Skip as skip:
        facts, result = str(skip), 'skip'
    except (lab.Failure, Wrong) as failure:
        facts, result = '\n' + str(failure), 'FAIL'
        frame = traceback.extract_tb(failure.__traceback__)
        facts = ' at ' + ', '.join(f'{Path(f.filename).name}:{f.lineno}' for f in frame[1:4]) + facts
    except Exception:  # a broken test is a failed one, and the others still run
        facts, result = '\n' + traceback.format_exc(), 'FAIL'
    print(f'{result} {name} ({time.monotonic() - start:.1f} s) {facts}'.rstrip(), flush=True)
    return result


def _count(results):
    skipped = results.count('skip')
    print(f"{results.count('ok')} passed, {results.count('FAIL')} failed, {skipped} skipped", flush=True)
    return 1 if 'FAIL' in results or not results else 0


def _wanted(words):
    if not words:
        return {name: entry for name, entry in _cases.items() if name not in _apart}
    unknown = [word for word in words if not any(word in (name, group) for name, (_, group) in _cases.items())]
    if unknown:
        sys.exit(f'no test or group named {", ".join(unknown)}; --list names them')
    return {name: entry for name, entry in _cases.items() if name in words or entry[1] in words}


def main(words, enter=sandbox.enter):
    if '--list' in words:
        for name, (function, group) in _cases.items():
            print(f'{group:10} {name:44} {(function.__doc__ or "").splitlines()[0]}')
        return
    wanted = _wanted(words)
    os.environ['PYTHONDONTWRITEBYTECODE'] = '1'

    def inside():
        return _count([_run_one(name, function) for name, (function, _) in wanted.items()])

    def refused(reason):
        for name in wanted:
            print(f'skip {name} (0.0 s) no namespaces here: {reason}')
        print(f'0 passed, 0 failed, {len(wanted)} skipped')
        return 0

    enter(inside, refused)


def have(name):
    """A program of the system, or the test is skipped."""
    if subprocess.run(['sh', '-c', f'command -v {name}'], stdout=subprocess.DEVNULL, check=False).returncode:
        raise Skip(f'{name} is not installed')
