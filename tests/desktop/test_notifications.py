# SPDX-License-Identifier: Apache-2.0
"""Notifications in the servers people have: they are seen, and their buttons do what they say."""

from cases import case
from desktop import desktop
from lab import need


def _region(place):
    x, y, width, height = place
    return f'{width + 16}x{height + 16}+{max(0, x - 8)}+{max(0, y - 8)}'


def _tells_and_is_pressed(server, language=''):
    with desktop(None, server, language=language, neighbours=1) as here:
        before = here.settled()
        here.lab.meet()
        pull = here.host.pull(here.lab.sample.name)
        here.lab[2].pull(here.lab.sample.name)
        place = here.popup(before)
        here.keep(f'{server}-progress', _region(place))
        here.press('Pause', place, lambda: pull.state == 'paused')
        pull.resume()
        pull.wait('complete', 60)
        here.lab.pump(1)
        place = here.popup(before)
        here.keep(f'{server}-complete', _region(place))
        # The popup goes, or is clicked away, before the next.
        here.stop(server)
        here.start_server()
        before = here.settled()
        failed = here.host.pull('lab/none')
        failed.wait('failed', 20)
        place = here.popup(before)
        here.keep(f'{server}-failed', _region(place))
        asked = here.lab.hub.stats()['requests']['api']
        here.press('Retry', place, lambda: here.lab.hub.stats()['requests']['api'] > asked)


@case('notifications')
def dunst_shows_and_presses():
    """Progress, completion and failure; Pause and Retry pressed, in dunst."""
    _tells_and_is_pressed('dunst')


@case('notifications')
def xfce_notifyd_shows_and_presses():
    """The same in xfce4-notifyd."""
    _tells_and_is_pressed('xfce4-notifyd')


@case('notifications')
def notification_daemon_shows_and_presses():
    """The same in notification-daemon."""
    _tells_and_is_pressed('notification-daemon')


@case('notifications')
def chinese_notifications_are_shown():
    """A completion in Simplified Chinese, in dunst."""
    with desktop(None, 'dunst', language='zh_CN', wan='100mbit', neighbours=1) as here:
        here.lab.meet()
        here.lab[2].pull(here.lab.sample.name).wait('complete', 60)
        before = here.settled()
        here.host.pull(here.lab.sample.name).wait('complete', 60)
        here.keep('chinese-complete', _region(here.popup(before)))
        here.host.sh('dunstctl close-all')
        history = here.host.sh('dunstctl history')
        need(here.lab.sample.name in history and any('\u4e00' <= letter <= '\u9fff' for letter in history), history)
