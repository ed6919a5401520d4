# SPDX-License-Identifier: Apache-2.0
"""Clean roots of Debian releases, made by debootstrap from the mirror that apt is set up for."""

import shutil
import subprocess
import threading
from pathlib import Path

from cases import Skip
from common import BUILD_S, logged, once, work
from lab import Failure, need, run

RELEASES = {12: 'bookworm', 13: 'trixie'}
APT = 'DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends'
# What an installed Debian has and its minimal root lacks: the init system, sessions, and what the packages only recommend.
BOOTED = 'systemd systemd-sysv dbus dbus-user-session libpam-systemd libnss-systemd'
FIREWALLS = 'ufw firewalld'


@once
def mirror():
    found = run('apt-get', 'indextargets', '--format', '$(SITE)', 'Created-By: Packages', check=False).stdout.split()
    if not found:
        raise Skip('apt has no mirror here')
    return found[0]


class Root:
    """A folder that is a Debian."""

    def __init__(self, path):
        self.path = Path(path)

    def sh(self, command, timeout=BUILD_S, **more):
        """As root in there, with processes of its own; output."""
        # Mounts are seen by what runs in there alone, and nothing outlives the shell. Not chroot: namespaces are made in there.
        enter = ('mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount -t tmpfs tmpfs run && mount -t sysfs sysfs sys '
                 '&& mount -t tmpfs tmpfs dev/shm && mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts '
                 '&& { mount -t cgroup2 cgroup2 sys/fs/cgroup || true; } '
                 '&& mkdir run/host && pivot_root . run/host && cd / && umount -l /run/host && rmdir /run/host && exec env -i '
                 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 ${http_proxy:+http_proxy="$http_proxy"} bash -ec "$1"')
        return run('unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', enter, self.path, command, timeout=timeout,
                   **more).stdout

    def copy(self, name):
        target = work() / name
        shutil.rmtree(target, ignore_errors=True)
        run('cp', '-a', self.path, target)
        return Root(target)

    def remove(self):
        shutil.rmtree(self.path)

    def files(self):
        """All that a package could leave; not what the machine itself writes by and by."""
        listed = run('find', self.path, '-xdev', '-not', '-type', 'd', '-not', '-path', '*/home/*', '-printf', '/%P\n').stdout
        passing = ('/var/cache/', '/var/log/', '/var/lib/apt/', '/var/lib/dpkg/', '/tmp/', '/run/', '/var/backups/')
        return {line for line in listed.splitlines() if not line.startswith(passing)}


@once
def base(release):
    """A minimal root, as debootstrap makes it, with the list of packages at hand."""
    if not shutil.which('debootstrap'):
        raise Skip('debootstrap is not installed')
    path = work() / f'debian-{release}'
    try:
        logged(work() / f'debootstrap-{release}.log', 'debootstrap', '--variant=minbase', RELEASES[release], path, mirror(),
               timeout=BUILD_S)
    except Failure as failure:
        raise Skip(f'debootstrap of {RELEASES[release]}: {str(failure).splitlines()[-1]}') from None
    root = Root(path)
    root.sh('apt-get -q update')
    return root


def put_packages(root, packages, folder='/packages'):
    (root.path / folder[1:]).mkdir(exist_ok=True)
    for package in packages:
        shutil.copy(package, root.path / folder[1:])


@once
def newer(package):
    """The same package under the next revision, for an upgrade."""
    folder = work() / 'newer' / package.parent.name / package.stem
    target = folder.with_suffix('.deb')
    if not target.exists():
        folder.parent.mkdir(parents=True)
        run('dpkg-deb', '-R', package, folder)
        control = folder / 'DEBIAN' / 'control'
        old = run('dpkg-deb', '-f', package, 'Version').stdout.strip()
        need(old.endswith('-1'), f'version {old}')
        control.write_text(control.read_text().replace(old, old[:-1] + '2'))
        run('dpkg-deb', '--root-owner-group', '-b', folder, target)
    return target


@once
def built_in(release):
    """The packages as that release builds them, from the archive, by packaging/build-deb; its compiler has nothing to say."""
    root = base(release).copy(f'build-{release}')
    packed = root.path / 'tree.tar.xz'
    run(Path(__file__).resolve().parent.parent.parent / 'packaging' / 'archive', packed)
    root.sh(f'{APT} install xz-utils >/dev/null 2>&1; mkdir /tree; tar -C /tree --strip-components=1 -xf /tree.tar.xz; '
            'DEB_CFLAGS_APPEND=-Werror /tree/packaging/build-deb /built >/build.log 2>&1 || { tail -n 30 /build.log >&2; exit 1; }')
    out = work() / f'built-{release}'
    shutil.move(root.path / 'built', out)
    root.remove()
    return {'exo-agent': next(out.glob('exo-agent_*.deb')), 'exo-agent-tray': next(out.glob('exo-agent-tray_*.deb'))}


@once
def bootable(release):
    """A root with an init system, a user and the agent installed."""
    root = base(release).copy(f'boot-{release}')
    packages = built_in(release)
    put_packages(root, packages.values())
    put_packages(root, [newer(packages['exo-agent'])], '/newer')
    make_bootable(root, FIREWALLS if release == 12 else '')
    root.sh(f'{APT} install /packages/exo-agent_*.deb >/dev/null 2>&1')
    return root


def begin(make):
    """Calls one of the above for both releases side by side. What fails here fails again, and is reported, when a test asks."""
    def attempt(release):
        try:
            make(release)
        except (Failure, Skip, OSError, subprocess.SubprocessError):
            pass
    for release in RELEASES:
        threading.Thread(target=attempt, args=(release,), daemon=True).start()


def make_bootable(root, more=''):
    root.sh(f'{APT} install {BOOTED} {more} >/dev/null 2>&1; '
            'useradd -m -s /bin/bash anna; useradd -m -s /bin/bash bert; mkdir -p /var/lib/systemd/linger; '
            'systemctl -q mask systemd-networkd-wait-online firewalld || true')
