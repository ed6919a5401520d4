# SPDX-License-Identifier: Apache-2.0
"""Builds with gcc and clang, runs all suites, again under sanitizers, the lab and the packages; counts test cases.

A case is one CUnit test, one test of a Python suite, or one lab test; a program that says nothing of its cases is one
case, and so is each build. The last line is for scripts: "N passed, N failed, N skipped".
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
JOBS = os.environ.get('EXO_JOBS', '2')
_TAIL = 40
_POLITELY = ['chrt', '--idle', '0']
_CUNIT = re.compile(r'^\s+tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)', re.M)
_CUNIT_BAD = re.compile(r'^ +\d+\. .+:\d+ +- .+$', re.M)
_PYTHON = re.compile(r'^Ran (\d+) tests? in', re.M)
_PYTHON_BAD = re.compile(r'^FAILED \((.*)\)$|^OK(?: \((.*)\))?$', re.M)
_PYTHON_SKIP = re.compile(r"""skipped ['"](.+?)['"]$""", re.M)
_LAB = re.compile(r'^(\d+) passed, (\d+) failed, (\d+) skipped$', re.M)
_ASAN_LAB = ['four_cold_nodes_cost_one_download', 'after_kill_9_it_goes_on_from_the_disk', 'a_hub_in_trouble_is_asked_again',
             'garbage_on_the_lan_port_changes_nothing', 'a_neighbour_that_talks_nonsense_costs_nothing']


class Count:
    passed = failed = skipped = 0
    lock = threading.Lock()

    @classmethod
    def add(cls, passed, failed=0, skipped=0):
        with cls.lock:
            cls.passed += passed
            cls.failed += failed
            cls.skipped += skipped


def build_folder():
    named = os.environ.get('EXO_BUILD_DIR')
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    # A build knows its tree: another clone builds in a folder of its own.
    clone = hashlib.sha256(str(TREE).encode()).hexdigest()[:8]
    for folder in ([Path(named)] if named else [cache / 'exo-agent-tests' / clone]):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return folder.resolve()
        except OSError:
            pass
    return Path(tempfile.mkdtemp(prefix='exo-agent-tests-'))


def say(text):
    print(text, flush=True)


def tail(text, lines=_TAIL):
    return '\n'.join('    ' + line for line in text.splitlines()[-lines:])


def run(words, log, **env):
    """Exit code, with all output in log."""
    with open(log, 'wb') as file:
        return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              env={**os.environ, **env}, cwd=TREE, check=False).returncode


def build(folder, compiler, *options, target='all', politely=False):
    """Whether it compiled without a warning; politely: with what others leave of the processor."""
    start, log = time.monotonic(), folder.parent / (folder.name + '.log')
    known = folder / 'build.ninja'
    words = ['meson', 'setup', *(['--reconfigure'] if known.exists() else []), folder, TREE, '-Dwerror=true', *options]
    ninja = [*(_POLITELY if politely else []), 'ninja', '-C', folder, f'-j{JOBS}', target]
    code = run(words, log, CC=compiler) or run(ninja, log)
    Count.add(code == 0, code != 0)
    say(f'{"ok" if code == 0 else "FAIL"} build {folder.name} ({time.monotonic() - start:.0f} s)')
    if code:
        say(tail(log.read_text(errors='replace')))
    return code == 0


def count_program(entry):
    """(passed, failed, skipped) of one line of meson's test log."""
    text = entry.get('stdout', '') + '\n' + entry.get('stderr', '')
    good = entry['result'] in ('OK', 'EXPECTEDFAIL')
    if entry['result'] == 'SKIP':
        return 0, 0, 1
    cunit = _CUNIT.search(text)
    if cunit:
        _, ran, passed, failed, _ = (int(digits) for digits in cunit.groups())
        return passed, max(failed, 0 if good else 1), 0
    python = _PYTHON.search(text)
    if python:
        ran, ending = int(python[1]), _PYTHON_BAD.search(text)
        bad = dict(re.findall(r'(\w+)=(\d+)', (ending[1] or ending[2] or '') if ending else ''))
        skipped = int(bad.get('skipped', 0))
        failed = int(bad.get('failures', 0)) + int(bad.get('errors', 0))
        return ran - skipped - failed, max(failed, 0 if good else 1), skipped
    return int(good), int(not good), 0


def suites(folder, name, *words, **env):
    """Meson's tests, counted; a failing program's output is shown."""
    start, log = time.monotonic(), folder.parent / f'{folder.name}-{name}.log'
    # Under load a test may take longer than alone. Most of them wait more than they work.
    code = run(['meson', 'test', '-C', folder, '--no-rebuild', '--logbase', name, '-t', '4', '--num-processes', 2 * int(JOBS), *words],
               log, **env)
    results = folder / 'meson-logs' / (name + '.json')
    entries = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    totals = [0, 0, 0]
    for entry in entries:
        counts = count_program(entry)
        totals = [total + count for total, count in zip(totals, counts)]
        if counts[1]:
            say(f'FAIL {entry["name"]} ({folder.name}): {entry["result"]}')
            text = entry.get('stdout', '') + '\n' + entry.get('stderr', '')
            # CUnit's verdicts first: behind them stands all of stderr, which may be longer than what is shown.
            say('\n'.join([*_CUNIT_BAD.findall(text), tail(text)]))
        elif counts[2]:
            text = entry.get('stdout', '') + '\n' + entry.get('stderr', '')
            why = '; '.join(_PYTHON_SKIP.findall(text)) or tail(entry.get('stdout', ''), 1).strip()
            say(f'skip {entry["name"]}: {why}')
    if code and not totals[1] or not entries:
        totals[1] += 1
        say(f'FAIL {name}: meson test ended with {code}\n' + tail(log.read_text(errors='replace')))
    Count.add(*totals)
    say(f'{"ok" if not totals[1] else "FAIL"} {folder.name}: {name}: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped'
        f' in {len(entries)} programs ({time.monotonic() - start:.0f} s)')


def lab(folder, label, *tests, runner='lab', beside=None, **env):
    """The lab's own lines are shown as they come. Beside others, of which the pipe says that they have ended when it is closed, it takes
    what they leave of the processor, and its lines are shown in the end."""
    start, text = time.monotonic(), []

    def show(line):
        text.append(line + '\n')
        if beside is None:
            say(line)

    show(f'-- {runner}, {label}')
    words = ['setpriv', '--pdeathsig', 'KILL', *([] if beside is None else _POLITELY), sys.executable, '-B',
             str(TREE / 'tests' / runner / 'run'), *tests]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL if beside is None else beside, stdout=subprocess.PIPE, text=True, errors='replace',
                          env={**os.environ, 'EXO_LAB_BUILD': str(folder), **env}) as child:
        for line in child.stdout:
            show(line.rstrip('\n'))
    found = _LAB.search(''.join(text[-3:]))
    if found:
        Count.add(*(int(digits) for digits in found.groups()))
    if not found or child.returncode and found[2] == '0':
        Count.add(0, 1)
        show(f'FAIL {runner} ({label}) ended with {child.returncode}')
    show(f'-- {runner}, {label}: {time.monotonic() - start:.0f} s')
    if beside is not None:
        say(''.join(text).rstrip())


def has_thread_sanitizer(base, compiler):
    """Whether a program with it can be built, and runs: its library may be missing, and some kernels leave no room for it."""
    source, program = base / 'tsan-probe.c', base / 'tsan-probe'
    source.write_text('int main (void) { return 0; }\n')
    try:
        return run([compiler, '-fsanitize=thread', source, '-o', program], base / 'tsan-probe.log') == 0 and \
            run([program], base / 'tsan-probe.log') == 0
    except OSError:
        return False


def build_for_threads(base):
    """Whether there are programs to run under the thread sanitizer."""
    compiler = next((name for name in ('gcc', 'clang') if has_thread_sanitizer(base, name)), None)
    if not compiler:
        Count.add(0, 0, 1)
        say('skip tsan: neither gcc nor clang has a thread sanitizer that works here (Debian: libtsan2)')
        return False
    return build(base / 'tsan', compiler, '-Db_sanitize=thread', target='thread-tests', politely=True)


def other_builds(base):
    """What needs no waiting for: the second compiler, whose warnings are its front end's, and sanitizers: the good ones."""
    options = {'clang': ('clang', '-Doptimization=0'),
               'asan': ('gcc', '-Db_sanitize=address,undefined', '-Db_lundef=false')}
    good = {name for name, words in options.items() if build(base / name, *words, politely=True)}
    if build_for_threads(base):
        good.add('tsan')
    return good


def main():
    start, base = time.monotonic(), build_folder()
    say(f'builds and logs: {base}')
    aside, packages = ThreadPoolExecutor(), None
    whole = build(base / 'gcc', 'gcc')
    # The lab waits for links most of the time: what it leaves of the processor is enough for the other builds and the packages.
    builds = aside.submit(other_builds, base)
    all_ended, others_run = os.pipe()
    try:
        if whole:
            suites(base / 'gcc', 'all')
            packages = aside.submit(lab, base / 'gcc', 'deb and rpm', runner='packaging', beside=all_ended, EXO_PACKAGING_BOOT='when stdin ends')
            lab(base / 'gcc', 'normal build')
        good = builds.result()
        if 'asan' in good:
            suites(base / 'asan', 'memory', '--suite', 'unit', '--suite', 'fuzz', ASAN_OPTIONS='detect_leaks=1',
                   UBSAN_OPTIONS='halt_on_error=1:print_stacktrace=1')
        if 'tsan' in good:
            suites(base / 'tsan', 'races', '--suite', 'threads')
    finally:
        os.close(others_run)
    if packages:
        packages.result()
    if 'asan' in good:
        lab(base / 'asan', 'address sanitizer', *_ASAN_LAB, EXO_LAB_PATIENCE='3', EXO_LAB_KIND='asan')
    say(f'{time.monotonic() - start:.0f} s')
    say(f'{Count.passed} passed, {Count.failed} failed, {Count.skipped} skipped')
    return 1 if Count.failed or not Count.passed else 0


if __name__ == '__main__':
    sys.exit(main())
