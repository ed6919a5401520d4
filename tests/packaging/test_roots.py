# SPDX-License-Identifier: Apache-2.0
"""The packages in clean roots of Debian 12 and 13: built, installed, started, upgraded and removed; then booted."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from cases import Skip, case, have
from common import TREE
from lab import Failure, need, run
from readme import as_root, command
from roots import APT, base, bootable, built_in, make_bootable, newer, put_packages

# tests/run as a whole, with the installation of all that it uses; and what it counts at least.
_TESTS_S = 3600
_TESTS_MIN = 1500
_USER = 'runuser -u anna -- env HOME=/home/anna XDG_RUNTIME_DIR=/home/anna/run DBUS_SESSION_BUS_ADDRESS=unix:path=/home/anna/run/bus'
# Without systemd: a session bus of the user, which activates the agent; then an upgrade under the running agent, and removal.
_LIFE = f'''
useradd -m anna
install -d -o anna -m 700 /home/anna/run
{_USER} dbus-daemon --session --fork --nopidfile --address=unix:path=/home/anna/run/bus
{_USER} exoctl cache >/home/anna/first
pid=$(pgrep -x exo-agent)
before=$(readlink /proc/$pid/exe)
dpkg -i /newer/exo-agent_*.deb >/dev/null 2>&1
for _ in $(seq 100); do [ "$(readlink /proc/$pid/exe)" = /usr/bin/exo-agent ] && break; sleep 0.1; done
echo "program $before $(readlink /proc/$pid/exe)"
{_USER} timeout 10 sh -c 'until exoctl cache >/home/anna/second 2>&1; do sleep 0.2; done'
echo "same $(pgrep -x exo-agent | grep -cx $pid)"
mkdir -p /home/anna/.cache/huggingface/hub/models--a--b && echo kept >/home/anna/.cache/huggingface/hub/models--a--b/file
dpkg -r exo-agent >/dev/null 2>&1
for _ in $(seq 100); do pgrep -x exo-agent >/dev/null || break; sleep 0.1; done
echo "left $(pgrep -cx exo-agent || true)"
'''


def _pulled_in(root):
    """Names and installed bytes of what apt brings along into the minimal root."""
    said = root.sh(f'{APT} install -s /dist/exo-agent_*.deb')
    names = sorted(set(re.findall(r'^Inst (\S+)', said, re.M)) - {'exo-agent'})
    sizes = root.sh(f"apt-cache show --no-all-versions {' '.join(names)} | sed -n 's/^Installed-Size: //p'")
    return names, sum(int(size) for size in sizes.split()) * 1024


def _comes_and_goes(release):
    root = base(release).copy(f'install-{release}')
    packages = built_in(release)
    put_packages(root, packages.values(), '/dist')
    put_packages(root, [newer(packages['exo-agent'])], '/newer')
    names, size = _pulled_in(root)
    for package in packages.values():
        needs = run('dpkg-deb', '-f', package, 'Depends').stdout
        root.sh(f"{APT} satisfy '{re.sub(r'exo-agent [^,]*,?', '', needs).strip()}' >/dev/null 2>&1")
    root.sh(f'{APT} install procps >/dev/null 2>&1')
    before = root.files()
    root.sh(f'''{as_root('sudo apt install').replace('apt ', APT + ' ', 1)} >/dev/null 2>&1''')
    said = root.sh('dpkg -V exo-agent exo-agent-tray')
    need(not said.strip(), f'dpkg -V: {said}')
    root.sh('dpkg -r exo-agent-tray >/dev/null 2>&1')
    life = root.sh(_LIFE)
    need(life == 'program /usr/bin/exo-agent /usr/bin/exo-agent\nsame 1\nleft 0\n', life)
    root.sh(f"{as_root('sudo apt purge').replace('apt ', APT + ' ', 1)} >/dev/null 2>&1; userdel anna")
    left = root.files() ^ before
    need(not {path for path in left if not re.match(r'/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/newer/|/dist/', path)},
         f'differs after the purge: {sorted(left)}')
    need((root.path / 'home/anna/.cache/huggingface/hub/models--a--b/file').read_text() == 'kept\n', 'the cache was touched')
    root.remove()
    return f'pulled-in={len(names)} ({size / 1e6:.1f} MB): {" ".join(names)}'


for _release in (12, 13):
    def _build(release=_release):
        packages = built_in(release)
        return ' '.join(f'{name}={path.stat().st_size}' for name, path in packages.items())

    _build.__name__ = f'debian_{_release}_builds_its_packages'
    _build.__doc__ = 'From the release archive in a minimal root, by packaging/build-deb, optimized and without a warning.'
    case('roots')(_build)

    def _go(release=_release):
        return _comes_and_goes(release)

    _go.__name__ = f'on_debian_{_release}_they_come_and_go'
    _go.__doc__ = 'Installed, verified, activated, upgraded while it runs, removed and purged: no file left but the user\'s.'
    case('roots')(_go)


def _cloned(name):
    """A minimal Debian 12 with git, and this tree cloned to /clone."""
    root = base(12).copy(name)
    root.sh(f'{APT} install git >/dev/null 2>&1; git init -q /origin')
    run('sh', '-ec', '"$1" "$2/tree.tar.xz" && tar -C "$2/origin" --strip-components=1 -xf "$2/tree.tar.xz"', 'sh',
        TREE / 'packaging' / 'archive', root.path)
    root.sh('cd /origin; git add -Af; git -c user.name=test -c user.email=test@example.org commit -qm test; git clone -q /origin /clone')
    return root


def _quickstart(root):
    said = root.sh(f"cd /clone; {command('packaging/quickstart')} 2>&1 | tail -n 3; git status --porcelain")
    found = re.fullmatch(r'hub bytes / model bytes: (1\.\d+) .*\nfiles verified, byte by byte: (\d+) on 2 machines\nseconds: .*\n', said)
    need(found, said)
    return found[1]


# A network of its own, with a Hub in it: nobody else is asked.
_PULL = """
cd /clone
hub=$(find ~/.cache/exo-agent-quickstart -name exo-test-hub -type f)
tests/hub/make-sample /sample --size 20000000 --name org/model >/dev/null
ip link set lo up
"$hub" --root /sample --port 8080 >/hub.log 2>&1 &
until grep -q ^ready /hub.log; do sleep 0.1; done
HF_ENDPOINT=http://127.0.0.1:8080 @COMMAND@ </dev/null 2>&1
"""


@case('roots')
def quickstart_needs_nothing_but_git():
    """packaging/quickstart in a clone, in a minimal Debian 12: installs, builds, two machines share a download; or pulls."""
    root = _cloned('quickstart')
    hub = _quickstart(root)
    pull = _PULL.replace('@COMMAND@', command('packaging/quickstart ORG/MODEL').replace('ORG/MODEL', 'org/model'))
    said = root.sh(f'unshare --net bash -ec {shlex.quote(pull)}')
    need(re.search(r'^org/model: complete, .*^org/model +model ', said, re.M | re.S), said)
    root.remove()
    return f'hub={hub}'


def _tell_npm(root):
    """The registry of this machine, and whom it trusts for it: as the mirror is, that is the network's affair."""
    said, trusted = run('npm', 'config', 'get', 'registry', check=False), os.environ.get('NODE_EXTRA_CA_CERTS')
    if said.returncode:
        return
    lines = [f'registry={said.stdout.strip()}']
    if trusted and Path(trusted).exists():
        shutil.copy(trusted, root.path / 'root' / 'trusted.crt')
        lines.append('cafile=${HOME}/trusted.crt')
    (root.path / 'root' / '.npmrc').write_text('\n'.join(lines) + '\n')


@case('bare', apart=True)
def the_two_commands_need_nothing_but_git():
    """packaging/quickstart, then tests/run, in a clone, in a minimal Debian 12. What is skipped in there is shown."""
    root = _cloned('bare')
    if shutil.which('npm'):
        _tell_npm(root)
    hub = _quickstart(root)
    root.sh(f"cd /clone; {command('tests/run')} >/tests.log 2>&1 || true; git status --porcelain >/status", timeout=_TESTS_S)
    lines = (root.path / 'tests.log').read_text(errors='replace').splitlines()
    interesting = '\n'.join('  ' + line for line in lines if re.match(r' *(FAIL|skip)\b', line))
    print(interesting, flush=True)
    passed, failed, skipped = (int(digits) for digits in re.findall(r'\d+', lines[-1]))
    need(lines[-1] == f'{passed} passed, {failed} failed, {skipped} skipped', lines[-1])
    if failed:
        raise Failure('\n'.join(lines[-200:]))
    need(passed > _TESTS_MIN, f'only {lines[-1]}')
    status = (root.path / 'status').read_text()
    need(not status, f'the clone was changed:\n{status}')
    root.remove()
    return f'hub={hub} {lines[-1]}'


def _boots(*tests, **roots):
    """tests/packaging/boot with these roots."""
    have('systemd-nspawn')
    words = [sys.executable, '-B', str(Path(__file__).resolve().parent / 'boot'), *tests]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **roots}, timeout=900, check=False)
    print('  ' + done.stdout.strip().replace('\n', '\n  '), flush=True)
    passed, failed, skipped = (int(digits) for digits in re.search(r'(\d+) passed, (\d+) failed, (\d+) skipped', done.stdout).groups())
    need(not failed and not done.returncode, f'{failed} failed')
    if not passed:
        raise Skip(f'{skipped} skipped')
    return f'passed={passed} skipped={skipped}'


@case('bare', apart=True)
def without_a_package_it_is_installed_from_the_tree():
    """The commands of the README in a clone, in a minimal Debian 12; then that machine is booted."""
    root = _cloned('from-tree')
    words = [command('packaging/dependencies build run'), command('meson setup build --'), command('ninja -C build'),
             as_root('sudo ninja -C build install')]
    root.sh('cd /clone; ' + '; '.join(f'{each} >/build.log 2>&1 || {{ tail -n 30 /build.log >&2; exit 1; }}' for each in words))
    make_bootable(root)
    return _boots('an_agent_without_a_package_runs_as_its_unit', EXO_ROOT_12=str(root.path))


def _wait_for_the_machine():
    """Packages may be made with what others leave of the processor; machines that boot need their part, and get it when the others are done."""
    if 'EXO_PACKAGING_BOOT' in os.environ:
        sys.stdin.read()
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@case('boot')
def booted_machines_do_all_of_it():
    """Debian 12 and 13 booted on one network: tests/packaging/boot, whose tests are shown by themselves."""
    roots = {f'EXO_ROOT_{release}': str(bootable(release).path) for release in (12, 13)}
    _wait_for_the_machine()
    return _boots(**roots)
