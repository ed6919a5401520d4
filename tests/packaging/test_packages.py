# SPDX-License-Identifier: Apache-2.0
"""The packages as they are built on this machine."""

import os
import re
import shutil

from cases import case, have
from common import BUILD_S, SOURCE, TREE, built, logged, need, run, unpacked, work
from readme import as_root

_SIZE = 1_500_000


def _need_tools(kind):
    have({'deb': 'dpkg-buildpackage', 'rpm': 'rpmbuild'}[kind])


def _files(kind, name):
    """(kind, mode, path) of what a package holds, but for what either format adds in ways of its own."""
    root = unpacked(kind, name)
    own = re.compile(r'/usr/share/(doc|licenses|lintian)/|/usr/lib/\.build-id/')
    found = set()
    for path in root.rglob('*'):
        shown = '/' + str(path.relative_to(root))
        if path.is_dir() or own.match(shown):
            continue
        shown = re.sub(r'\.(gz|bz2|xz|zst)$', '', shown).replace('/zsh/vendor-completions/', '/zsh/site-functions/')  # Debian's name
        found.add((oct(path.lstat().st_mode & 0o7777), shown))
    return found


def _build_elsewhere(kind):
    """A copy of the tree in another folder with other dates, built in another year by another umask and language."""
    other, out = work() / 'somewhere' / 'else', work() / f'{kind}-again'
    if not other.exists():
        other.mkdir(parents=True)
        packed = work() / 'elsewhere.tar.xz'
        run(TREE / 'packaging' / 'archive', packed)
        run('tar', '-C', other, '--strip-components=1', '-xf', packed)
        run('find', other, '-exec', 'touch', '-h', '-d', '2020-02-02', '{}', '+')
    logged(work() / f'{kind}-again.log', 'sh', '-c', 'umask 077; exec faketime "2031-05-05 05:05:05" "$@"', 'sh',
           other / 'packaging' / f'build-{kind}', *SOURCE[kind], out, timeout=BUILD_S, env={**os.environ, 'LANG': 'C', 'TZ': 'Asia/Tokyo'})
    return out


def _is_reproducible(kind):
    _need_tools(kind)
    have('faketime')
    again = _build_elsewhere(kind)
    built(kind)
    packages = sorted(path for pattern in ('*.' + kind, '*.xz') for path in (work() / kind).glob(pattern))
    for package in packages:
        need(package.read_bytes() == (again / package.name).read_bytes(), f'{package.name} differs')
    need(len(packages) >= 2, f'{packages}')
    return f'packages={len(packages)}'


@case('packages')
def two_builds_of_the_deb_packages_are_the_same_bytes():
    """And those of the source, in two folders, on two dates."""
    return _is_reproducible('deb')


@case('packages')
def two_builds_of_the_rpm_packages_are_the_same_bytes():
    """In two folders, on two dates."""
    return _is_reproducible('rpm')


@case('packages')
def lintian_is_content():
    """Nothing, not even pedantic, experimental or informational; what is overridden is argued in place."""
    have('lintian')
    built('deb')
    done = run('lintian', '--allow-root', '--pedantic', '-E', '-I', next((work() / 'deb').glob('*.changes')), check=False, timeout=180)
    said = [line for line in done.stdout.splitlines() if line]
    need(not said, '\n'.join(said))


@case('packages')
def rpmlint_is_content():
    """The packages and the spec; each filter says why it is there."""
    have('rpmlint')
    words = ['rpmlint', '-c', TREE / 'packaging/rpm/rpmlint.toml', *built('rpm').values(), TREE / 'packaging/rpm/exo-agent.spec']
    done = run(*words, check=False, timeout=180)
    need('0 errors, 0 warnings' in done.stdout, done.stdout + done.stderr)


@case('packages')
def both_formats_hold_the_same_files():
    """File by file with its mode; configuration files are the same, too."""
    _need_tools('deb')
    _need_tools('rpm')
    have('cpio')
    counts = []
    for name in ('exo-agent', 'exo-agent-tray'):
        deb, rpm = _files('deb', name), _files('rpm', name)
        need(deb == rpm, f'{name}: only in one:\n' + '\n'.join(map(str, sorted(deb ^ rpm))))
        conffiles = run('dpkg-deb', '-I', built('deb')[name], 'conffiles').stdout.split()
        need(sorted(conffiles) == sorted(run('rpm', '-qpc', built('rpm')[name]).stdout.split()), f'{name}: {conffiles}')
        counts.append(f'{name}={len(deb)}')
    need(('0o755', '/usr/bin/exo-tray') in _files('deb', 'exo-agent-tray'), 'no tray in exo-agent-tray')
    need(not any('tray' in path for _, path in _files('deb', 'exo-agent')), 'some tray in exo-agent')
    return ' '.join(counts)


@case('packages')
def exo_agent_is_small():
    """Installed at most 1.5 MB."""
    kib = int(run('dpkg-deb', '-f', built('deb')['exo-agent'], 'Installed-Size').stdout)
    need(kib * 1024 <= _SIZE, f'{kib} KiB')
    return f'installed={kib * 1024} tray={int(run("dpkg-deb", "-f", built("deb")["exo-agent-tray"], "Installed-Size").stdout) * 1024}'


def _everything_below(root):
    return {str(path.relative_to(root)) for path in root.rglob('*')
            if not re.match(r'(usr/lib/sysimage|var/lib)/(rpm|dnf)', str(path.relative_to(root)))}


@case('packages')
def an_rpm_comes_and_goes_without_a_trace():
    """Installed into an empty root and erased; what it says of its files is true; scriptlets do what they should."""
    _need_tools('rpm')
    root = work() / 'rpm-root'
    root.mkdir()
    run('rpm', '--root', root, '--initdb')
    before = _everything_below(root)
    run('rpm', '--root', root, '-i', '--nodeps', '--noscripts', *built('rpm').values())
    run('rpm', '--root', root, '-V', '--nodeps', 'exo-agent', 'exo-agent-tray')
    need((root / 'usr/bin/exoctl').stat().st_mode & 0o7777 == 0o755, 'mode of exoctl')
    run('rpm', '--root', root, '-e', '--nodeps', '--noscripts', 'exo-agent', 'exo-agent-tray')
    left = {path for path in _everything_below(root) - before
            if not re.fullmatch(r'(usr|etc|var|run)(/(bin|lib|share|systemd|dbus-1|xdg|doc|man|licenses).*)?', path) or (root / path).is_file()}
    need(not left, f'left behind: {sorted(left)}')


@case('packages')
def scriptlets_of_the_rpm_act_on_the_agents():
    """Installing tells systemd of the unit, an upgrade restarts, erasing stops: run with stand-ins for systemd."""
    _need_tools('rpm')
    scripts = run('rpm', '-qp', '--scripts', built('rpm')['exo-agent']).stdout
    parts = dict(re.findall(r'^(\w+) scriptlet \(using [^)]*\):\n(.*?)(?=^\w+ scriptlet|\Z)', scripts, re.M | re.S))
    need(sorted(parts) == ['postinstall', 'postuninstall', 'preuninstall'], scripts)
    tools = work() / 'tools'
    tools.mkdir()
    for name in ('systemctl', 'helper'):
        (tools / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tools / name).chmod(0o755)
    wants = {('postinstall', 1): 'helper install-user-units exo-agent.service', ('preuninstall', 0): 'helper remove-user-units',
             ('preuninstall', 1): '', ('postuninstall', 1): 'helper mark-restart-user-units exo-agent.service'}
    for (part, count), expected in wants.items():
        # What is called is seen; there is no file that the patterns of instances could stand for.
        script = parts[part].replace('/usr/lib/systemd/systemd-update-helper', str(tools / 'helper')) \
            .replace('/run/systemd/system', str(tools)).replace('>/dev/null 2>&1', '')
        said = run('sh', '-c', script, 'sh', count, env={**os.environ, 'PATH': f'{tools}:{os.environ["PATH"]}'}).stdout
        need(expected in said and (expected or not said), f'{part} {count}: {said!r}')
        if (part, count) == ('preuninstall', 0):
            need('systemctl stop exo-agent@*.service' in said, said)
        if (part, count) == ('postuninstall', 1):
            need('systemctl try-restart exo-agent@*.service' in said, said)


def _stub(name, needed):
    """A repository with one package, which provides what a Fedora or an openSUSE would: sonames, programs, libraries."""
    folder = work() / name
    (folder / 'SOURCES').mkdir(parents=True)
    provides = '\n'.join(f'Provides: {each.replace(">=", "=")}' for each in sorted(needed))
    (folder / 'stub.spec').write_text(f'Name: stub\nVersion: 1\nRelease: 1\nSummary: Stub\nLicense: none\nBuildArch: noarch\n{provides}\n'
                                      '%description\nStub.\n%files\n')
    run('rpmbuild', '-bb', '--define', f'_topdir {folder}', folder / 'stub.spec')
    run('createrepo_c', '-q', folder / 'RPMS')
    return folder / 'RPMS'


def _asked():
    """What the packages want that neither of them has."""
    asked = set()
    for package in built('rpm').values():
        asked |= {line.strip() for line in run('rpm', '-qp', '--requires', package).stdout.splitlines()
                  if not re.match(r'rpmlib\(|config\(|exo-agent|/bin/sh', line)}
    need({'avahi', '/usr/bin/dbus-run-session'} <= asked, f'{sorted(asked)}')
    return asked


def _typed(start, options, **more):
    """A command of the README, about another root: its program takes these options."""
    built('rpm')
    here = work() / 'typed'
    if not here.exists():
        here.mkdir()
        (here / 'dist').symlink_to('../rpm')
    program = re.search(r'\b(dnf|zypper) ', as_root(start))
    words = as_root(start).replace(program[0], f'{program[0]}{options} ').replace('packaging/', f'{TREE}/packaging/')
    return run('sh', '-ec', words, cwd=here, timeout=120, **more)


def _root_with_shell(name):
    """An empty root but for what scriptlets are run by."""
    root = work() / name
    root.mkdir()
    programs = [shutil.which('sh'), shutil.which('rm')]
    libraries = re.findall(r'(/\S+) \(0x', run('ldd', *programs).stdout)
    run('cp', '-L', '--parents', *programs, *set(libraries), root)
    for link in ('bin', 'lib', 'lib64'):
        if (root / 'usr' / link).exists() and not (root / link).exists():
            (root / link).symlink_to('usr/' + link)
    return root


def _comes_and_goes(root, install, remove, options):
    done = _typed(install, options, check=False)
    need(not done.returncode and 'scriptlet' not in done.stdout + done.stderr, done.stdout + done.stderr)
    for name in ('exo-tray', 'exo-agent', 'exoctl'):
        need((root / 'usr/bin' / name).exists(), f'{install}: no {name}')
    done = _typed(remove, options)
    need('scriptlet' not in done.stdout + done.stderr, done.stdout + done.stderr)
    left = [path for path in _everything_below(root) if re.search(r'exo[-_.]?(agent|tray|ctl)', path.lower()) and
            not re.match(r'var/(cache|log)/', path)]
    need(not left, f'{remove} leaves {left}')


@case('packages')
def dnf_resolves_the_dependencies():
    """As the README installs and removes: from a repository that has what both ask for, and not without one."""
    _need_tools('rpm')
    have('dnf')
    have('createrepo_c')
    asked = _asked()
    repository, repos = _stub('dnf-stub', asked | {'/bin/sh'}), work() / 'repos'
    repos.mkdir()
    common = f'-q --releasever=1 --setopt=pluginpath=/nonexistent -y --setopt=reposdir={repos}'
    install, remove, root = 'sudo dnf install ./dist', 'sudo dnf remove', _root_with_shell('dnf-with')
    without = _typed(install, f'{common} --installroot={work()}/dnf-without --setopt=cachedir={work()}/dnf-cache-1', check=False)
    need(without.returncode and 'nothing provides' in without.stderr, f'without: {without.returncode} {without.stderr}')
    (repos / 'stub.repo').write_text(f'[stub]\nname=stub\nbaseurl=file://{repository}\ngpgcheck=0\n')
    _comes_and_goes(root, install, remove, f'{common} --installroot={root} --setopt=cachedir={work()}/dnf-cache-2')
    return f'asked={len(asked)}'


@case('packages')
def zypper_resolves_the_dependencies():
    """As the README installs what it takes to build, then the packages, and removes them."""
    _need_tools('rpm')
    have('zypper')
    have('createrepo_c')
    building = {line.strip() for line in run('rpmspec', '-q', '--buildrequires', TREE / 'packaging/rpm/exo-agent.spec').stdout.splitlines()}
    need({'gcc', 'pkgconfig(avahi-client)'} <= building, f'{sorted(building)}')
    repository, root = _stub('zypper-stub', _asked() | building | {'/bin/sh', 'rpm-build'}), _root_with_shell('zypper')
    options = f'--root {root} --non-interactive --no-gpg-checks'
    without = _typed('sudo zypper install --allow-unsigned-rpm', options, check=False)
    need(without.returncode and 'nothing provides' in without.stdout, f'without: {without.returncode} {without.stdout}{without.stderr}')
    run('zypper', '--root', root, 'addrepo', '-G', f'file://{repository}', 'stub')
    _typed('sudo zypper install rpm-build', options)
    _typed('rpmspec', options)
    _comes_and_goes(root, 'sudo zypper install --allow-unsigned-rpm', 'sudo zypper remove', options)
    return f'building={len(building)}'
