# SPDX-License-Identifier: Apache-2.0
"""Clean roots of Debian releases, made by debootstrap from the mirror that apt is set up for."""

import functools
import shutil
from pathlib import Path

from cases import Skip
from common import BUILD_S, logged, work
from lab import Failure, need, run

RELEASES = {12: 'bookworm', 13: 'trixie'}
APT = 'DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends'
# What an installed Debian has and its minimal root lacks: the init system, sessions, and what the packages only recommend.
BOOTED = 'systemd systemd-sysv dbus dbus-user-session libpam-systemd'


@functools.cache
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
                 '&& mkdir run/host && pivot_root . run/host && cd / && umount -l /run/host && rmdir /run/host && exec env -i '
                 'PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 ${http_proxy:+http_proxy="$http_proxy"} bash -ec "$1"')
        return run('unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', enter, self.path, command, timeout=timeout,
                   **more).stdout

    def copy(self, name):
        target = work() / name
        shutil.rmtree(target, ignore_errors=True)
        run('cp', '-a', self.path, target)
        return Root(target)

    def files(self):
        """All that a package could leave; not what the machine itself writes by and by."""
        listed = run('find', self.path, '-xdev', '-not', '-type', 'd', '-not', '-path', '*/home/*', '-printf', '/%P\n').stdout
        passing = ('/var/cache/', '/var/log/', '/var/lib/apt/', '/var/lib/dpkg/', '/tmp/', '/run/', '/var/backups/')
        return {line for line in listed.splitlines() if not line.startswith(passing)}


@functools.cache
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


@functools.cache
def built_in(release):
    """The packages as that release builds them, from the archive, by packaging/build-deb."""
    root = base(release).copy(f'build-{release}')
    packed = root.path / 'tree.tar.xz'
    run(Path(__file__).resolve().parent.parent.parent / 'packaging' / 'archive', packed)
    root.sh(f'{APT} install xz-utils >/dev/null 2>&1; mkdir /tree; tar -C /tree --strip-components=1 -xf /tree.tar.xz; '
            '/tree/packaging/build-deb /built >/build.log 2>&1 || { tail -n 30 /build.log >&2; exit 1; }')
    out = work() / f'built-{release}'
    shutil.move(root.path / 'built', out)
    shutil.rmtree(root.path)
    return {'exo-agent': next(out.glob('exo-agent_*.deb')), 'exo-agent-tray': next(out.glob('exo-agent-tray_*.deb'))}


@functools.cache
def bootable(release):
    """A root with an init system, a user and the agent installed."""
    root = base(release).copy(f'boot-{release}')
    packages = built_in(release)
    put_packages(root, packages.values())
    put_packages(root, [newer(packages['exo-agent'])], '/newer')
    root.sh(f'{APT} install {BOOTED} libnss-systemd >/dev/null 2>&1; {APT} install /packages/exo-agent_*.deb >/dev/null 2>&1; '
            'useradd -m -s /bin/bash anna; useradd -m -s /bin/bash bert; systemctl -q mask systemd-networkd-wait-online || true; '
            'mkdir -p /var/lib/systemd/linger')
    return root
