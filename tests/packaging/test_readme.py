# SPDX-License-Identifier: Apache-2.0
"""Every command of the README is run by a test where it can run."""

import ast

import readme
from cases import case
from common import TREE, need, text_of

# These run commands as they read them in the README.
_READERS = ('tests/lab/test_readme.py', 'tests/packaging/test_roots.py', 'tests/packaging/test_packages.py', 'tests/packaging/boot')
# These are run by what is named, where the words are to be found.
_ELSEWHERE = {
    'packaging/build-deb': ('tests/packaging/common.py', "f'build-{kind}'"),
    'packaging/build-rpm': ('tests/packaging/common.py', "f'build-{kind}'"),
    'packaging/dependencies build run lab test': ('tests/run', 'packaging/dependencies" build run lab test '),
    'meson setup build && ninja -C build': ('tests/everything.py', "'ninja', '-C', folder"),
    'meson test -C build': ('tests/everything.py', "['meson', 'test', '-C', folder"),
    'meson test -C build --suite unit': ('tests/everything.py', "'--suite', 'unit'"),
    'meson test -C build plan -v': ('tests/everything.py', "['meson', 'test', '-C', folder"),
    'tests/lab/run': ('tests/everything.py', "lab(base / 'gcc', 'normal build')"),
    'tests/lab/run after_kill_9_it_goes_on_from_the_disk': ('tests/everything.py', "'after_kill_9_it_goes_on_from_the_disk'"),
    'tests/packaging/run': ('tests/everything.py', "runner='packaging'"),
    'meson setup asan -Db_sanitize=address,undefined -Db_lundef=false && meson test -C asan --suite unit --suite fuzz':
        ('tests/everything.py', "'-Db_sanitize=address,undefined', '-Db_lundef=false'"),
    'meson setup tsan -Db_sanitize=thread && ninja -C tsan thread-tests && meson test -C tsan --no-rebuild --suite threads':
        ('tests/everything.py', "'-Db_sanitize=thread', target='thread-tests'"),
    'EXO_LAB_BUILD=asan EXO_LAB_KIND=asan EXO_LAB_PATIENCE=3 tests/lab/run share':
        ('tests/everything.py', "EXO_LAB_PATIENCE='3', EXO_LAB_KIND='asan'"),
    'meson dist -C build': ('tests/packaging/test_static.py', 'meson dist -C'),
    'tests/packaging/run static packages': ('tests/everything.py', "runner='packaging'"),
    'tests/packaging/run roots boot': ('tests/everything.py', "runner='packaging'"),
    'meson compile -C build exo-agent-update-po': ('tests/unit/test-texts.py', 'xgettext'),
}
_NOT_HERE = {
    'tests/packaging/run bare': 'the test would run itself',
    'build/tests/sim/exo-sim --nodes 1000 --size 40000 --step 10': 'a quarter of an hour; the suite sim has the same with fewer nodes',
    'build/tests/sim/exo-sim --nodes 1000 --size 40000 --step 10 --seed-nodes 1 --wan 0': 'as above',
    'packaging/dependencies build run lab desktop': 'panels and servers of several desktops: by who runs tests/desktop/run',
    'EXO_LAB_BUILD=build tests/desktop/run': 'as above',
    'sudo dnf install rpm-build dnf-plugins-core && sudo dnf builddep packaging/rpm/exo-agent.spec':
        "Debian's zypper and dnf-plugins-core exclude each other; what the spec needs is resolved by zypper's command",
    'sudo systemctl edit exo-agent@USER': 'opens an editor on a terminal',
    'systemctl --user edit exo-agent': 'opens an editor on a terminal',
}


def _read_by(path):
    """The commands that a file names by their start."""
    found = set()
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                found.add(readme.command(node.value))
            except AssertionError:
                pass
    return found


@case('static')
def every_command_of_the_readme_is_run_by_a_test():
    """Or is known not to run here, and why; and nothing is said of commands that are not there any more."""
    shown = readme.commands()
    read = set().union(*(_read_by(path) for path in _READERS))
    unknown = [one for one in shown if one not in read and one not in _ELSEWHERE and one not in _NOT_HERE]
    need(not unknown, 'no test runs:\n' + '\n'.join(unknown))
    gone = [one for one in {**_ELSEWHERE, **_NOT_HERE} if one not in shown or one in read]
    need(not gone, 'not in the README, or run as they stand:\n' + '\n'.join(gone))
    for one, (path, words) in _ELSEWHERE.items():
        need(words in (TREE / path).read_text(encoding='utf-8'), f'{path} does not run {one}')
    return f'commands={len(shown)} not-here={len(_NOT_HERE)}'
