# SPDX-License-Identifier: Apache-2.0
"""The folder of the models in the file managers people have: from the menu, and from a notification."""

from pathlib import Path

from bus import AGENT, PROPERTIES, ROOT
from cases import case, have
from desktop import desktop, xfconf
from lab import need

_THUNAR = '''<?xml version="1.0" encoding="UTF-8"?>
<channel name="thunar" version="1.0"><property name="misc-full-path-in-window-title" type="bool" value="true"/></channel>
'''


def _with_thunar(here):
    """It is not running: the bus starts it as org.freedesktop.FileManager1."""
    have('thunar')
    (here.folder('.config/xfce4/xfconf/xfce-perchannel-xml') / 'thunar.xml').write_text(_THUNAR)
    xfconf(here)
    here.offer('org.xfce.Thunar.FileManager1')


def _cache(here):
    path = here.host.bus.call(ROOT, PROPERTIES, 'Get', 'ss', AGENT, 'CachePath')[0]
    need(path.startswith(str(here.host.dir)), f'the agent keeps models in {path}')
    return path


def _shown(here, title):
    return any(title in window for window in here.windows())


@case('folder')
def the_menu_opens_it_in_thunar():
    """"Open the models folder", pressed in xfce4-panel, shows that folder in thunar, which is on the bus."""
    with desktop('xfce4-panel') as here:
        _with_thunar(here)
        here.host.pull(here.lab.sample.name).wait('complete', 60)
        here.choose('Open the models folder')
        here.lab.wait_for(lambda: _shown(here, _cache(here)), 20, 'thunar with that folder')


@case('folder')
def a_notification_opens_it_in_thunar():
    """"Open folder" of a completion, pressed in xfce4-notifyd."""
    with desktop(None, 'xfce4-notifyd', wan='100mbit') as here:
        _with_thunar(here)
        before = here.settled()
        here.host.pull(here.lab.sample.name).wait('complete', 60)
        here.press('Open folder', here.popup(before), lambda: _shown(here, _cache(here)))


@case('folder')
def without_one_on_the_bus_xdg_open_finds_it():
    """No file manager on the bus: the same row of the menu shows it in pcmanfm."""
    have('pcmanfm')
    have('xdg-open')
    with desktop('xfce4-panel', tray=False) as here:
        here.host.extra_env['XDG_CURRENT_DESKTOP'] = 'LXDE'
        here.tray_with_icon()
        here.host.pull(here.lab.sample.name).wait('complete', 60)
        name = Path(_cache(here)).name  # all that it has for a title
        need(not _shown(here, name), f'{here.windows()}')
        here.choose('Open the models folder')
        here.lab.wait_for(lambda: _shown(here, name), 20, 'pcmanfm with that folder')
