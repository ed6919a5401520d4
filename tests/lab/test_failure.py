# SPDX-License-Identifier: Apache-2.0
"""What breaks on the way: machines, links, disks. No byte is fetched twice for it, and nobody has to do anything."""

import signal
import time

from cases import MIB, case, sample
from lab import Lab, need
from test_share import hub_ratio, verify_all


def _lab(name, nodes=4, **more):
    # What a failure costs is a few pieces, whatever the size: it is judged by a model of a few hundred MB.
    return Lab(nodes=nodes, wan='200mbit', lan='400mbit', name=name, sample=sample('big'), **more)


@case('failure')
def after_kill_9_it_goes_on_from_the_disk():
    """An agent killed with signal 9 in mid-transfer goes on by itself where it was."""
    with _lab('kill') as lab:
        lab.meet()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        before = pulls[0].wait_bytes(lab.sample.bytes // 2)['BytesDone']
        lab[1].kill_agent()
        lab[1].start_agent()
        again = lab.wait_for(lambda: lab[1].transfers(), 10, 'the transfer after the restart')[0]
        lab.wait_for(lambda: again.info.get('BytesTotal'), 20, 'its size')
        after = again.info['BytesDone']
        need(after >= before - 24 * MIB and after > 0, f'{before} bytes were done, {after} after the restart')
        for pull in [again, *pulls[1:]]:
            pull.wait('complete')
        ratio = hub_ratio(lab)
        verify_all(lab, lab.hosts)
        return f'hub={ratio:.4f} done={before / MIB:.0f}MiB after-restart={after / MIB:.0f}MiB'


@case('failure')
def asked_to_start_again_it_goes_on():
    """SIGUSR1 in mid-transfer, as an upgrade without systemd sends it: the same process, a new agent, and it finishes."""
    with _lab('again') as lab:
        lab.meet()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        pulls[0].wait_bytes(lab.sample.bytes // 2)
        owner = lab[1].bus.owner
        lab[1].agent.send_signal(signal.SIGUSR1)
        lab.wait_for(lambda: lab[1].bus.owner not in ('', owner), 20, 'the agent back on the bus')
        need(lab[1].agent.poll() is None, 'the process ended')
        lab.wait_for(lab[1].bus.sync, 10, 'its objects')
        for pull in [lab[1].transfers()[0], *pulls[1:]]:
            pull.wait('complete')
        ratio = hub_ratio(lab)
        verify_all(lab, lab.hosts)
        return f'hub={ratio:.4f}'


@case('failure')
def a_dead_machine_holds_nobody_back():
    """One of four loses power in mid-transfer: the others finish, nearly nothing is fetched twice."""
    with _lab('power') as lab:
        lab.meet()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        pulls[3].wait_bytes(lab.sample.bytes // 3)
        lab[4].kill_machine()
        for pull in pulls[:3]:
            pull.wait('complete')
        # What only the dead had got from the Hub has to come again: at most what was in flight to it and its own.
        ratio = hub_ratio(lab, 1.02)
        verify_all(lab, lab.hosts[:3])
        return f'hub={ratio:.4f}'


@case('failure')
def a_cut_link_heals():
    """One machine's link is cut and restored: all finish, nearly nothing is fetched twice."""
    with _lab('cutlink') as lab:
        lab.meet()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        pulls[1].wait_bytes(lab.sample.bytes // 3)
        lab[2].cut_link()
        for number in (0, 2, 3):
            pulls[number].wait('complete')
        lab[2].restore_link()
        pulls[1].wait('complete', 90)
        ratio = hub_ratio(lab)
        verify_all(lab, lab.hosts)
        return f'hub={ratio:.4f}'


def _partial_bytes(host):
    """On the disk, in files that are not yet whole."""
    return sum(path.stat().st_blocks * 512 for path in host.cache.rglob('*.exo-part'))


@case('failure')
def a_full_disk_is_said_and_survived():
    """The disk fills up in mid-transfer: NoSpace, what came stays; when there is room again it goes on by itself."""
    with Lab(nodes=1, wan='100mbit', lan='400mbit', name='full', sample=sample('medium'), agents=0) as lab:
        host = lab[1]
        host.disk_limit(100 * MIB)
        host.start_agent()
        pull = host.pull(lab.sample.name)
        pull.wait_bytes(lab.sample.bytes // 2)
        filler = host.dir / 'cache' / 'filler'
        host.sh(f'dd if=/dev/zero of={filler} bs=64k 2>/dev/null || true')
        info = pull.wait('failed')
        need(info['Error'] == 'NoSpace', f'{info["Error"]}: {info["ErrorMessage"]}')
        need(info['ErrorMessage'], 'no message')
        done, kept = info['BytesDone'], _partial_bytes(host)
        need(done >= lab.sample.bytes // 2 and kept > 0, f'{done} bytes done, {kept} bytes of partial files kept')
        host.sh(f'rm {filler}')
        start, least = time.monotonic(), []

        def goes_on():
            if pull.state != 'failed' and pull.info.get('BytesTotal'):
                least.append(pull.info['BytesDone'])
            return pull.state == 'complete' or pull.state == 'transferring' and pull.info['BytesDone'] > done

        lab.wait_for(goes_on, 30, 'going on without being told')
        waited = time.monotonic() - start
        need(min(least) >= done - 4 * MIB, f'{done} bytes were done, {min(least)} when it went on')
        pull.wait('complete')
        host.verify_cache(lab.sample)
        ratio = hub_ratio(lab, 1.05)
        return f'done={done / MIB:.0f}MiB kept={kept / MIB:.0f}MiB went-on-after={waited:.1f}s hub={ratio:.4f}'


@case('failure')
def pause_and_resume_keep_what_is_there():
    """exoctl pause and resume."""
    with _lab('pause', nodes=2) as lab:
        lab.meet()
        pull = lab[1].pull(lab.sample.name)
        pull.wait_bytes(lab.sample.bytes // 4)
        number = str(pull.info['Id'])
        lab[1].exoctl('pause', number)
        done = pull.wait('paused')['BytesDone']
        lab[1].exoctl('resume', number)
        pull.wait('complete')
        ratio = hub_ratio(lab)
        lab[1].verify_cache(lab.sample)
        return f'paused-at={done / MIB:.0f}MiB hub={ratio:.4f}'
