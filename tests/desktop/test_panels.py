# SPDX-License-Identifier: Apache-2.0
"""The icon, its tooltip and its menu in the panels people have."""

import time

from bus import AGENT, ROOT, BusError
from cases import case
from desktop import HEIGHT, PANEL, STRIPE, WIDTH, desktop
from lab import need


_FAST, _SLOW = '8mbit', '400kbit'


def _at(info, percent):
    return info.get('BytesTotal', 0) and info['BytesDone'] * 100 >= percent * info['BytesTotal']


def _icon_region(here, width=260):
    x = max(0, min(here.icon[0] - width // 2, WIDTH - width))
    return f'{width}x{PANEL}+{x}+0'


def _menu_region(here, picture, closed):
    x, y, width, height = closed.changed(picture)
    return f'{width + 8}x{height + 8}+{max(0, x - 4)}+{max(0, y - 4)}'


def _stays_as_it_is(here, menu, closed):
    """An open menu has its rows where they are, whatever comes and goes; the next time it has what came."""
    below = f'{WIDTH}x{HEIGHT - PANEL}+0+{PANEL}'
    x, y, _, height = closed.changed(menu, below)
    other = here.host.pull('lab/none')
    other.wait('failed', 20)
    here.lab.wait_for(lambda: 'lab/none' in str(here.item('ToolTip')), 10, 'the failure in the tray')
    now = closed.changed(here.settled(), below)
    need((now[0], now[1], now[3]) == (x, y, height), f'the open menu was {x, y, height}, is {now}')  # labels may be shorter or longer
    need('lab/none' not in str(here.rows()), 'the open menu has another row')
    here.close_menu()
    here.choose('lab/none', 'Remove')
    here.lab.wait_for(lambda: len(here.host.transfers()) == 1, 10, 'what came meanwhile removed from the menu')


def _goes_through_its_states(panel):
    with desktop(panel, neighbours=1) as here:
        pictures = {'idle': here.settled()}
        here.keep(f'{panel}-idle', _icon_region(here))
        need(here.item('Title'), 'no title')
        here.lab.meet()
        pull = here.host.pull(here.lab.sample.name)
        here.lab[2].pull(here.lab.sample.name)
        for percent in (30, 80):
            here.lab.hub.set_rate(_FAST)
            here.lab.wait_for(lambda: _at(pull.info, percent), 60, f'{percent} %')
            here.lab.hub.set_rate(_SLOW)  # so that there is time to look
            here.lab.wait_for(lambda: f'{percent // 10}' in here.item('ToolTip')[2] + here.item('ToolTip')[3], 10, f'{percent} % in the tray')
            time.sleep(0.4)
            pictures[percent] = here.picture()
            here.keep(f'{panel}-{percent}', _icon_region(here), pictures[percent])
            if percent == 30:
                tip = here.item('ToolTip')
                need(here.lab.sample.name in tip[2] + tip[3] and '%' in tip[2] + tip[3], f'tooltip: {tip}')
                shown = here.tooltip()
                need(pictures[30].changed(shown, f'{WIDTH}x200+0+{PANEL}'), 'no tooltip on the screen')
                here.keep(f'{panel}-tooltip', f'420x120+{max(0, min(here.icon[0] - 60, WIDTH - 420))}+0', shown)
                here.leave()
        closed = here.picture()
        here.open_menu()
        menu = here.rest_in_menu()
        need(closed.changed(menu, f'{WIDTH}x300+0+{PANEL}'), 'no menu on the screen')
        here.keep(f'{panel}-menu', _menu_region(here, menu, closed), menu)
        _stays_as_it_is(here, menu, closed)
        here.choose(here.lab.sample.name, 'Pause')
        pull.wait('paused', 10)
        here.leave()
        pictures['paused'] = here.settled()
        here.keep(f'{panel}-paused', _icon_region(here))
        here.choose(here.lab.sample.name, 'Resume')
        here.lab.wait_for(lambda: pull.state != 'paused', 10, 'resumed from the menu')
        need(pull.state != 'complete', 'it was complete before it could be looked at')
        names = list(pictures)
        for one, other in zip(names, names[1:]):
            need(pictures[one].changed(pictures[other], STRIPE), f'{one} and {other} look the same')
        here.choose(here.lab.sample.name, 'Cancel')
        here.lab.wait_for(lambda: not here.host.transfers(), 10, 'cancelled from the menu')


@case('panels')
def xfce_panel_shows_and_presses():
    """Icon of each state, tooltip, menu; pause, resume and cancel by clicks, in xfce4-panel."""
    _goes_through_its_states('xfce4-panel')


@case('panels')
def mate_panel_shows_and_presses():
    """The same in mate-panel."""
    _goes_through_its_states('mate-panel')


@case('panels')
def lxqt_panel_shows_and_presses():
    """The same in lxqt-panel."""
    _goes_through_its_states('lxqt-panel')


@case('panels')
def a_warning_shows_and_the_rest_of_the_menu_works():
    """A failed transfer changes the icon; pull again, pause all and quit do their work, in xfce4-panel."""
    with desktop('xfce4-panel') as here:
        idle = here.settled()
        here.host.pull('lab/none').wait('failed', 20)
        here.lab.wait_for(lambda: idle.changed(here.picture(), STRIPE), 10, 'icon of a warning')
        here.keep('xfce4-panel-warning', _icon_region(here), here.settled())
        here.choose('lab/none', 'Remove')
        here.lab.wait_for(lambda: not here.host.transfers(), 10, 'removed from the menu')
        pull = here.host.pull(here.lab.sample.name)
        here.lab.wait_for(lambda: _at(pull.info, 10), 60, '10 %')
        here.lab.hub.set_rate(_SLOW)
        here.choose('Pause all')
        pull.wait('paused', 10)
        here.lab.hub.set_rate(_FAST)
        here.choose('Resume all')
        pull.wait('complete', 60)
        here.lab.wait_for(lambda: 'No transfers' in str(here.item('ToolTip')), 10, 'the end in the tray')
        here.choose('Pull again', here.lab.sample.name)
        here.lab.wait_for(lambda: here.host.log.read_text().count(f'{here.lab.sample.name}@main: complete') == 2, 10, 'pulled again')
        here.choose('Quit')
        need(here.running['exo-tray'].wait(10) == 0, 'exo-tray ended badly')


def _chinese(text):
    return any('\u4e00' <= letter <= '\u9fff' for letter in text)


def _agent_is_chinese(here):
    """What it finds, and why it refuses."""
    for finding in here.host.bus.call(ROOT, AGENT, 'Diagnose')[0]:
        need(_chinese(finding['Summary']) and (not finding['Advice'] or _chinese(finding['Advice'])), f'{finding}')
    for model in ('a/b/c', '-'):
        try:
            here.host.bus.call(ROOT, AGENT, 'Pull', 'ssa{sv}', model, '', {})
        except BusError as error:
            need(_chinese(str(error)), f'{error}')


@case('panels')
def chinese_is_shown():
    """Menu and tooltip in Simplified Chinese, and what the agent says."""
    with desktop('xfce4-panel', language='zh_CN', neighbours=1) as here:
        pull = here.host.pull(here.lab.sample.name)
        here.lab.wait_for(lambda: _at(pull.info, 30), 60, '30 %')
        here.lab.hub.set_rate(_SLOW)
        closed = here.picture()
        here.open_menu()
        labels = [properties.get('label', '') for _, properties, _ in here.rows()[2]]
        need(all(_chinese(label) for label in labels if label), f'{labels}')
        menu = here.rest_in_menu()
        here.keep('chinese-menu', _menu_region(here, menu, closed), menu)
        here.close_menu()
        _agent_is_chinese(here)
