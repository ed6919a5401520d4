# SPDX-License-Identifier: Apache-2.0
"""A desktop on a machine of the lab: X server, window manager, panel, notification server, exo-tray.

    with desktop('xfce4-panel', 'dunst') as here:
        pull = here.host.pull(here.lab.sample.name)
        here.press('pause')
        pull.wait('paused')

Nothing of it is seen outside: display, buses and folders are the machine's own. A window is found by what changed on the screen,
because that is all a person sees of it."""

import contextlib
import glob
import os
import re
import shutil
import time
from pathlib import Path

from bus import PROPERTIES, BusError
from cases import Skip, have, sample
from lab import TREE, Lab, need, program, run, tail

DISPLAY = ':7'
WIDTH, HEIGHT, PANEL = 900, 480, 36
STRIPE = f'{WIDTH}x28+0+2'  # of the panel, without its border
ITEM, MENU = 'org.kde.StatusNotifierItem', 'com.canonical.dbusmenu'
WATCHER, SERVER = 'org.kde.StatusNotifierWatcher', 'org.freedesktop.Notifications'
TRAY = 'org.exo.Tray1'

_XFCE_NOTIFYD = 'xfce4/notifyd/xfce4-notifyd'
_NOTIFICATION_DAEMON = '/usr/lib/notification-daemon/notification-daemon'
_XFCE = '''<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="32"/>
      <property name="icon-size" type="uint" value="22"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty"><property name="plugin-1" type="string" value="systray"/></property>
</channel>
'''
_LXQT = '[General]\npanels=panel1\n[panel1]\nplugins=statusnotifier\nposition=Top\npanelSize=32\niconSize=22\nwidth=100\n' \
        'width-percent=true\ndesktop=0\nanimation-duration=0\n[statusnotifier]\ntype=statusnotifier\nalignment=Left\n'
# What a person would choose in dunst's list of actions: the line that holds the word in this file.
_CHOOSE = '#!/bin/sh\ngrep -m 1 -- "$(cat {})"\n'


def _library(name):
    """Of the architecture at hand; a path where nothing is if it is not installed."""
    return next(iter(glob.glob(f'/usr/lib/*/{name}')), f'/usr/lib/{name}')


def xfconf(desktop):
    if 'xfconfd' not in desktop.running:
        desktop.start('xfconfd', [_library('xfce4/xfconf/xfconfd')], own='org.xfce.Xfconf')


def _xfce(desktop):
    folder = desktop.folder('.config/xfce4/xfconf/xfce-perchannel-xml')
    (folder / 'xfce4-panel.xml').write_text(_XFCE)
    xfconf(desktop)
    return ['xfce4-panel', '--disable-wm-check']


def _mate(desktop):
    # Its notification area is a program of its own.
    desktop.offer('org.mate.panel.applet.NotificationAreaAppletFactory')
    return ['mate-panel', '--replace']


def _lxqt(desktop):
    (desktop.folder('.config/lxqt') / 'panel.conf').write_text(_LXQT)
    return ['lxqt-panel']


def _dunst(desktop):
    word, script = desktop.host.dir / 'choice', desktop.host.dir / 'choose'
    script.write_text(_CHOOSE.format(word))
    script.chmod(0o755)
    (desktop.folder('.config/dunst') / 'dunstrc').write_text(
        f'[global]\nfont = DejaVu Sans 10\nwidth = 330\noffset = 20x60\ndmenu = {script}\nidle_threshold = 0\n')
    return ['dunst']


def _xfce_notifyd(desktop):
    xfconf(desktop)
    return [_library(_XFCE_NOTIFYD)]


def _notification_daemon(desktop):
    return [_NOTIFICATION_DAEMON]


PANELS = {'xfce4-panel': _xfce, 'mate-panel': _mate, 'lxqt-panel': _lxqt}
SERVERS = {'dunst': _dunst, 'xfce4-notifyd': _xfce_notifyd, 'notification-daemon': _notification_daemon}


class Picture:
    """A screen as it was."""

    def __init__(self, path):
        self.path = path

    def changed(self, other, region=None):
        """(x, y, width, height) of what differs, or None."""
        crop = ['-crop', region, '+repage'] if region else []
        done = run('convert', self.path, other.path, '-compose', 'difference', '-composite', *crop, '-colorspace', 'gray',
                   '-threshold', '4%', '-trim', '-format', '%wx%h%O %[fx:maxima]', 'info:', check=False)
        found = re.match(r'(\d+)x(\d+)\+(\d+)\+(\d+) 1', done.stdout)
        if not found:
            return None
        width, height, x, y = (int(word) for word in found.groups())
        return x, y, width, height


class Desktop:
    def __init__(self, lab, host, panel, server, language):
        self.lab, self.host, self.panel, self.server = lab, host, panel, server
        self.running, self.icon, self.n_pictures = {}, None, 0
        self.host.extra_env |= {'DISPLAY': DISPLAY, 'GDK_BACKEND': 'x11', 'NO_AT_BRIDGE': '1', 'QT_QPA_PLATFORM': 'xcb',
                                'XDG_STATE_HOME': str(host.dir / '.state'), 'XDG_CURRENT_DESKTOP': 'XFCE', 'LC_ALL': 'C.UTF-8',
                                **({'LANGUAGE': language, 'EXO_LOCALE_DIR': str(program('exo-tray').parent.parent / 'po')}
                                   if language else {})}
        shutil.copytree(TREE / 'tray' / 'icons' / 'hicolor', self.folder('.local/icons/hicolor/scalable') / 'apps')

    def folder(self, name):
        path = self.host.dir / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    # Processes

    def start(self, name, words, own=None, timeout=15):
        self.running[name] = self.host.spawn(words, f'{name}.log')
        if own:
            self.lab.wait_for(lambda: self.owner(own), timeout, f'{name} owns {own}\n{tail(self.host.dir / (name + ".log"))}')

    def stop(self, name, kill=False):
        child = self.running.pop(name)
        (child.kill if kill else child.terminate)()
        child.wait(20)
        self.host.children.remove(child)

    def start_x(self):
        self.host.sh('mkdir -p /tmp/.X11-unix && mount -t tmpfs none /tmp/.X11-unix')
        self.start('Xvfb', ['Xvfb', DISPLAY, '-screen', '0', f'{WIDTH}x{HEIGHT}x24', '-nolisten', 'tcp', '-nolock', '-noreset'])
        self.lab.wait_for(lambda: run(*self.host.inside(['xdotool', 'getdisplaygeometry']), env=self.host.env(), check=False)
                          .returncode == 0, 15, 'X server')
        self.start('xfwm4', ['xfwm4', '--compositor=off'])
        run(*self.host.inside(['xsetroot', '-solid', '#7a8794']), env=self.host.env(), check=False)

    def start_panel(self):
        self.start(self.panel, PANELS[self.panel](self), own=WATCHER)

    def start_server(self):
        self.start(self.server, SERVERS[self.server](self), own=SERVER)

    def start_tray(self):
        self.start('exo-tray', [program('exo-tray')], own=TRAY)

    def tray_with_icon(self):
        time.sleep(1)  # a panel draws itself in several steps
        without = self.settled(least=1)
        self.start_tray()
        self.lab.wait_for(self.registered, 10, f'{self.panel} has the item')
        self.find_icon(without)

    # The bus

    def offer(self, name):
        """The session bus starts this service of the machine's when somebody asks for its file's name."""
        shutil.copy(f'/usr/share/dbus-1/services/{name}.service', self.folder('services'))
        conf = self.host.dir / 'session.conf'
        conf.write_text(conf.read_text().replace('<policy', f'<servicedir>{self.host.dir}/services</servicedir><policy', 1))
        self.host.bus.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'UpdateActivationEnvironment', 'a{ss}',
                           self.host.env(), to='org.freedesktop.DBus')
        self.host.bus.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'ReloadConfig', to='org.freedesktop.DBus')

    def owner(self, name):
        try:
            return self.host.bus.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'GetNameOwner', 's', name,
                                      to='org.freedesktop.DBus')[0]
        except BusError:
            return ''

    def registered(self):
        listed = self.host.bus.call('/StatusNotifierWatcher', PROPERTIES, 'Get', 'ss', WATCHER, 'RegisteredStatusNotifierItems',
                                    to=WATCHER)[0] if self.owner(WATCHER) else []
        mine = self.owner(TRAY)
        return any(mine and (name.startswith(mine) or str(self.running['exo-tray'].pid) in name) for name in listed)

    def item(self, name):
        return self.host.bus.call('/StatusNotifierItem', PROPERTIES, 'Get', 'ss', ITEM, name, to=self.owner(TRAY))[0]

    def rows(self):
        """The menu as (id, properties, rows)."""
        path = self.item('Menu')
        return self.host.bus.call(path, MENU, 'GetLayout', 'iias', 0, -1, [], to=self.owner(TRAY))[1]

    # Pointer, keys, pictures

    def x(self, *words):
        run(*self.host.inside(['xdotool', *words]), env=self.host.env())

    def windows(self):
        """The titles of what the window manager has on the screen."""
        found = run(*self.host.inside(['xdotool', 'search', '--onlyvisible', '--name', '.']), env=self.host.env(), check=False)
        return [run(*self.host.inside(['xdotool', 'getwindowname', number]), env=self.host.env(), check=False).stdout.strip()
                for number in found.stdout.split()]

    def picture(self):
        self.n_pictures += 1
        path = self.host.dir / f'screen{self.n_pictures}.png'
        run(*self.host.inside(['import', '-window', 'root', path]), env=self.host.env())
        return Picture(path)

    def settled(self, least=0.3, timeout=8):
        """A picture of a screen that does not move any more."""
        end, last = time.monotonic() + timeout, self.picture()
        while time.monotonic() < end:
            time.sleep(least)
            now = self.picture()
            if not last.changed(now):
                break
            last = now
        return last

    def keep(self, name, region=None, picture=None):
        out = os.environ.get('EXO_DESKTOP_OUT')
        if out:
            Path(out).mkdir(parents=True, exist_ok=True)
            shot = picture or self.picture()
            crop = ['-crop', region, '+repage'] if region else []
            run('convert', shot.path, *crop, '-strip', '-define', 'png:compression-level=9', '-colors', '200', Path(out) / f'{name}.png')

    def find_icon(self, without):
        """Where the tray's icon is: what appeared in the panel's stripe since that picture."""
        def look():
            return without.changed(self.picture(), STRIPE)
        self.lab.wait_for(look, 10, 'an icon in the panel')
        x, y, width, height = without.changed(self.settled(), STRIPE)
        need(width <= 2 * PANEL, f'more than an icon came: {x, y, width, height}')
        self.icon = x + width // 2, y + height // 2
        return self.icon

    def leave(self):
        self.x('mousemove', str(WIDTH // 2), str(HEIGHT - 20))

    def tooltip(self):
        """The pointer rests on the icon; a picture with the panel's tooltip."""
        self.leave()
        time.sleep(0.3)
        before, over = self.picture(), time.monotonic() + 10
        self.x('mousemove', str(self.icon[0] - 6), str(self.icon[1]))
        self.x('mousemove_relative', '--', '6', '1')
        time.sleep(1.5)
        while not before.changed(self.picture(), f'{WIDTH}x200+0+{PANEL}') and time.monotonic() < over:
            time.sleep(0.2)  # the machine is busy
        return self.picture()

    def open_menu(self):
        # But for xfce4-panel a left click stands for the item itself: the folder of the models.
        self.x('mousemove', str(self.icon[0]), str(self.icon[1]), 'click', '1' if self.panel == 'xfce4-panel' else '3')
        time.sleep(0.8)

    def rest_in_menu(self):
        """The pointer goes on into the open menu, away from the icon and its tooltip; a picture."""
        self.x('mousemove_relative', '--', '40', '170')
        return self.settled()

    def close_menu(self):
        self.x('key', 'Escape')
        self.x('key', 'Escape')

    def keys_to(self, label, rows):
        """Keys from the top of a menu to a row: (keys, row). Headings, separators and what is disabled are stepped over."""
        count = 0
        for row in rows:
            number, properties, below = row
            if not properties.get('visible', True) or properties.get('type') == 'separator' or not properties.get('enabled', True):
                continue
            count += 1
            if label in properties.get('label', ''):
                return ['Down'] * count, row
        names = [properties.get('label') for _, properties, _ in rows]
        need(False, f'no row {label} to choose in {names}')

    def choose(self, *labels):
        """Clicks the icon and walks the menu by keys, as a person does."""
        self.open_menu()
        rows, keys = self.rows()[2], []
        for label in labels:
            step, row = self.keys_to(label, rows)
            # An open submenu has its first row chosen.
            keys += (step if label == labels[0] else step[1:]) + (['Right'] if label != labels[-1] else ['Return'])
            rows = row[2]
        for key in keys:
            self.x('key', key)
            time.sleep(0.15)
        time.sleep(0.3)

    def popup(self, before, timeout=15):
        """(x, y, width, height) of a notification that appeared below the panel since that picture."""
        top = PANEL if self.panel else 0
        region = f'{WIDTH}x{HEIGHT - top}+0+{top}'
        self.lab.wait_for(lambda: before.changed(self.picture(), region), timeout, 'a notification on the screen')
        x, y, width, height = before.changed(self.settled(), region)
        return x, y + top, width, height

    def press(self, word, place, done):
        """The first button of a notification: dunst has a list of actions, the others a row of buttons above the lower edge."""
        if self.server == 'dunst':
            (self.host.dir / 'choice').write_text(word)
            run(*self.host.inside(['dunstctl', 'context']), env=self.host.env())
        else:
            x, y, width, height = place
            row = f'{width - 40}x14+{x + 20}+{y + height - 40}'
            shown = run('convert', self.settled().path, '-crop', row, '+repage', '-fuzz', '8%', '-trim', '-format', '%O', 'info:').stdout
            left = int(re.match(r'\+(\d+)', shown)[1])
            self.x('mousemove', str(x + 20 + left + 12), str(y + height - 33), 'click', '1')
        self.lab.wait_for(done, 10, f'{word} has worked')


@contextlib.contextmanager
def desktop(panel=None, server=None, wan='8mbit', size='small', language='', tray=True, neighbours=0):
    for name in [name for name in (panel, 'Xvfb', 'xfwm4', 'xdotool', 'import') if name]:
        have(name)
    if server:
        have({'xfce4-notifyd': _library(_XFCE_NOTIFYD), 'notification-daemon': _NOTIFICATION_DAEMON}.get(server, server))
    if language:
        have('fc-list')
        if not run('fc-list', ':lang=zh').stdout:
            raise Skip('there is no font with Chinese letters')
    with Lab(nodes=1 + neighbours, wan=wan, lan='400mbit', name='desktop', sample=sample(size)) as lab:
        here = Desktop(lab, lab[1], panel, server, language)
        if language:
            lab[1].restart()
        if panel or server:
            here.start_x()
        if panel:
            here.start_panel()
        if server:
            here.start_server()
        if tray:
            here.tray_with_icon() if panel else here.start_tray()
        yield here
