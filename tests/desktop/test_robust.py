# SPDX-License-Identifier: Apache-2.0
"""Panel, server, agent and bus come and go; what the tray costs."""

import re
import time
from pathlib import Path

from cases import case
from desktop import desktop
from lab import need, run

_IDLE_S, _BUSY_S = 10, 20
_RESIDENT = 8_000_000


@case('restarts')
def everything_comes_back():
    """Panel, notification server, agent and session bus are killed and started anew: item, menu and state are there again."""
    with desktop('xfce4-panel', 'dunst') as here:
        lab, host = here.lab, here.host
        here.stop('xfce4-panel', kill=True)
        here.start_panel()
        lab.wait_for(here.registered, 10, 'the item in the new panel')
        here.stop('dunst', kill=True)
        here.start_server()
        host.kill_agent()
        lab.wait_for(lambda: 'not running' in str(here.rows()), 10, 'no agent in the menu')
        host.start_agent()
        pull = host.pull(lab.sample.name)
        lab.wait_for(lambda: pull.info.get('BytesDone', 0) > 1 << 20, 30, 'some bytes')
        lab.wait_for(lambda: lab.sample.name in str(here.rows()), 10, 'the transfer in the menu')
        lab.wait_for(lambda: lab.sample.name in host.sh('dunstctl history') or '1' in host.sh('dunstctl count displayed'), 15,
                     'a notification in the new server')
        # The bus, and with it what desktop sessions start anew.
        before = here.running['exo-tray'].pid
        host.kill_agent()
        for name in ('xfce4-panel', 'dunst', 'xfconfd'):
            here.stop(name, kill=True)
        host.bus.close()
        host.bus = None
        for child in [child for child in host.children if 'session.conf' in ' '.join(map(str, child.args))]:
            child.kill()
            child.wait()
            host.children.remove(child)
        (host.dir / 'session').unlink()
        host._start_bus('session')
        host.start_agent()
        here.start_panel()
        here.start_server()
        lab.wait_for(here.registered, 30, 'the item on the new bus')
        lab.wait_for(lambda: lab.sample.name in str(here.rows()), 10, 'the transfer in the menu on the new bus')
        need(here.running['exo-tray'].pid == before and here.running['exo-tray'].poll() is None, 'exo-tray was another one')
        host.transfers()[0].wait('complete', 60)


@case('restarts')
def nothing_there_is_no_trouble():
    """No panel, no server, no agent: no busy loop and no error; a second exo-tray exits at once; without a bus it ends."""
    with desktop(None, None) as here:
        here.host.kill_agent()
        used = _ticks(here)
        time.sleep(3)
        need(_ticks(here) - used <= 1, f'{_ticks(here) - used} ticks in 3 s')
        run(*here.host.inside([here.running['exo-tray'].args[-1]]), env=here.host.env(), timeout=5)
        log = (here.host.dir / 'exo-tray.log').read_text()
        need(not re.search('CRITICAL|WARNING', log), log)
        run(*here.host.inside([here.running['exo-tray'].args[-1]]), timeout=5,
            env={**here.host.env(), 'DBUS_SESSION_BUS_ADDRESS': 'unix:path=/nonexistent'})
        here.host.start_agent()


def _tray_pid(here):
    """nsenter runs it in its own place."""
    return here.running['exo-tray'].pid


def _ticks(here):
    fields = Path(f'/proc/{_tray_pid(here)}/stat').read_text().rsplit(')', 1)[1].split()
    return int(fields[11]) + int(fields[12])


def _status(here, pattern):
    found = 0
    for path in Path(f'/proc/{_tray_pid(here)}/task').glob('*/status'):
        found += sum(int(number) for number in re.findall(pattern, path.read_text(), re.M))
    return found


@case('cost')
def an_idle_tray_sleeps_and_is_small():
    """In a real panel: no wake-up in 10 s, at most 8 MB resident; at most 1 % of a core while a model comes."""
    with desktop('xfce4-panel', 'dunst', size='medium', wan='20mbit') as here:
        here.lab.pump(3)
        switches = r'^(?:non)?voluntary_ctxt_switches:\s+(\d+)'
        before = _status(here, switches)
        time.sleep(_IDLE_S)
        wakes = _status(here, switches) - before
        resident = int(re.search(r'^VmRSS:\s+(\d+) kB', Path(f'/proc/{_tray_pid(here)}/status').read_text(), re.M)[1]) * 1024
        pull = here.host.pull(here.lab.sample.name)
        here.lab.wait_for(lambda: pull.info.get('BytesDone', 0) > 1 << 20, 30, 'some bytes')
        used, start = _ticks(here), time.monotonic()
        time.sleep(_BUSY_S)
        share = (_ticks(here) - used) / (time.monotonic() - start)
        need(pull.state == 'transferring', f'the transfer is {pull.state}')
        need(wakes == 0, f'{wakes} wake-ups in {_IDLE_S} s')
        need(resident <= _RESIDENT, f'{resident} bytes resident')
        need(share <= 1.0, f'{share:.2f} % of a core')
        return f'wakes={wakes} resident={resident} busy-percent={share:.2f}'
