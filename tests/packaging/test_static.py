# SPDX-License-Identifier: Apache-2.0
"""What can be said of the packaging by reading it."""

import re
import xml.etree.ElementTree

from cases import case, have
from common import TREE, first, need, run, silent, text_of, unpacked, version, work


@case('static')
def the_version_is_written_in_one_place():
    """meson.build has it; changelog, spec and NEWS are of that version, and so are the programs."""
    here = version()
    need(re.fullmatch(r'\d+\.\d+\.\d+', here), f'packaging/version says {here!r}')
    for path, pattern in (('packaging/deb/changelog', r'\Aexo-agent \(([^-]*)-'), ('packaging/rpm/exo-agent.spec', r'^Version: +(\S+)$'),
                          ('packaging/rpm/exo-agent.spec', r'%changelog\n.* - ([^-]*)-'), ('NEWS', r'\Aexo-agent (\S+)')):
        need(first(pattern, text_of(path), path) == here, f'{path} is not of {here}')
    for program in ('exo-agent', 'exoctl'):
        said = run(unpacked('deb', 'exo-agent') / 'usr/bin' / program, '--version').stdout
        need(said == f'{program} {here}\n', f'{program} --version: {said!r}')


@case('static')
def scripts_are_clean():
    """shellcheck has nothing to say of any script of the tree."""
    have('shellcheck')
    names = run('git', '-C', TREE, 'ls-files').stdout.splitlines() if (TREE / '.git').exists() else \
        [str(path.relative_to(TREE)) for path in TREE.rglob('*') if path.is_file()]
    scripts = [name for name in names if re.match(rb'#!.*\b(ba)?sh\b', (TREE / name).read_bytes()[:64])]
    need(len(scripts) > 8, f'only {scripts}')
    silent('shellcheck', *scripts, cwd=TREE)
    return f'scripts={len(scripts)}'


def _unit(path, name):
    """An installed unit as it would be below /: its programs and files are named where they lie now."""
    root = unpacked('deb', 'exo-agent')
    copy = work() / name
    copy.write_text(re.sub(r'/usr/(bin/exo-agent|share/exo-agent)', rf'{root}/usr/\1', (root / path).read_text()))
    return copy


def _units():
    return (_unit('usr/lib/systemd/system/exo-agent@.service', 'exo-agent@root.service'),
            _unit('usr/lib/systemd/user/exo-agent.service', 'exo-agent.service'))


@case('static')
def systemd_finds_nothing_wrong_with_the_units():
    """systemd-analyze verify says nothing of either; it ends with 0 whatever it finds."""
    have('systemd-analyze')
    system, user = _units()
    silent('systemd-analyze', '--man=no', 'verify', system)
    silent('env', f'XDG_RUNTIME_DIR={work()}', 'systemd-analyze', '--user', '--man=no', 'verify', user)
    bad = work() / 'bad.service'
    bad.write_text(user.read_text().replace('Type=dbus', 'Type=bus'))
    done = run('env', f'XDG_RUNTIME_DIR={work()}', 'systemd-analyze', '--user', '--man=no', 'verify', bad, check=False)
    need(done.stderr.strip(), 'a wrong unit was not noticed')


def _exposure(unit, *words):
    done = run('env', f'XDG_RUNTIME_DIR={work()}', 'systemd-analyze', *words, 'security', '--offline=true', '--no-pager', unit, check=False)
    return float(first(r'exposure level for \S+: (\d+\.\d+)', done.stdout, 'systemd-analyze security'))


@case('static')
def the_units_are_closed_off():
    """Exposure of the unit for headless machines at most 3.0; the user unit has all that needs no namespace."""
    have('systemd-analyze')
    system, user = _units()
    template, session = _exposure(system), _exposure(user, '--user')
    need(template <= 3.0, f'exo-agent@.service: {template}')
    need(session <= 6.6, f'exo-agent.service: {session}')
    return f'template={template} user={session}'


@case('static')
def firewalls_open_the_port_that_the_agent_has():
    """firewalld's service and ufw's profile name the default port of the key file."""
    port = first(r'^#define EXO_CONFIG_PORT_DEFAULT +(\d+)u?$', text_of('agent/config.h'), 'agent/config.h')
    root = unpacked('deb', 'exo-agent')
    service = xml.etree.ElementTree.parse(root / 'usr/lib/firewalld/services/exo-agent.xml').getroot()
    ports = [(entry.get('port'), entry.get('protocol')) for entry in service.findall('port')]
    need(ports == [(port, 'tcp')], f'firewalld: {ports}')
    need(f'\nports={port}/tcp\n' in (root / 'etc/ufw/applications.d/exo-agent').read_text(), 'ufw')


@case('static')
def the_desktop_accepts_what_the_tray_installs():
    """desktop-file-validate and appstreamcli have nothing to say; there are texts in Chinese, and the pictures that are named."""
    have('desktop-file-validate')
    have('appstreamcli')
    root = unpacked('deb', 'exo-agent-tray')
    entries = [*root.glob('usr/share/applications/*.desktop'), *root.glob('etc/xdg/autostart/*.desktop')]
    need(len(entries) == 2, f'{entries}')
    silent('desktop-file-validate', *entries)
    need(all('\nName[zh_CN]=' in entry.read_text() for entry in entries), 'a desktop entry is in English alone')
    metainfo = list(root.glob('usr/share/metainfo/*.xml'))
    need(len(metainfo) == 1, f'{metainfo}')
    component = xml.etree.ElementTree.parse(metainfo[0]).getroot()
    for text in ('name', 'summary', 'screenshots/screenshot/caption'):
        languages = [entry.get('{http://www.w3.org/XML/1998/namespace}lang') for entry in component.findall(text)]
        need(languages and languages[1::2] == ['zh_CN'] * (len(languages) // 2), f'{text}: {languages}')
    shown = [TREE / 'tray/screenshots' / image.text.rsplit('/', 1)[1] for image in component.findall('screenshots/screenshot/image')]
    need(shown and all(picture.exists() for picture in shown), f'{shown}')
    done = run('appstreamcli', 'validate', '--no-net', '--explain', *metainfo, check=False)
    # Without a page on the web the component has no URL to show.
    said = re.findall(r'^([EWI]): \S+ (\S+)', done.stdout, re.M)
    need(not done.returncode and {name for _, name in said} <= {'url-homepage-missing'}, done.stdout)


@case('static')
def a_release_archive_is_what_meson_dist_makes():
    """packaging/archive and meson dist pack the same files with the same bytes; a package can be built from either."""
    have('git')
    clone, out = work() / 'clone', work() / 'dist'
    packed = work() / 'archive.tar.xz'
    run(TREE / 'packaging' / 'archive', packed)
    # A clone of what the archive has: the tree at hand may be ahead of its last commit.
    run('sh', '-ec', 'mkdir "$2" "$3" && tar -C "$2" --strip-components=1 -xf "$1" && cd "$2" && git init -q && git add -Af && '
        'git -c user.name=test -c user.email=test@example.org commit -qm test && meson setup "$3" -Dtests=disabled -Dtray=disabled '
        '&& meson dist -C "$3" --no-tests', 'sh', packed, clone, out, timeout=120)
    digest = 'mkdir "$2" && tar -C "$2" -xf "$1" && cd "$2" && find . -type f -exec sha256sum {} + | sort'
    released = next((out / 'meson-dist').glob('*.tar.xz'))
    one, other = (run('sh', '-ec', digest, 'sh', file, work() / name).stdout for file, name in ((packed, 'one'), (released, 'other')))
    need(released.name == f'exo-agent-{version()}.tar.xz', released.name)
    need(one == other, 'they differ:\n' + '\n'.join(sorted(set(one.splitlines()) ^ set(other.splitlines()))[:20]))
    return f'files={len(one.splitlines())}'
