# SPDX-License-Identifier: Apache-2.0
"""What a Hub can do to its clients."""

import shutil
import time

import sandbox
from cases import MIB, case, sample
from lab import Lab, need
from sample import Sample, nothing_wrong
from test_share import hub_ratio, verify_all


def _under(name, *rules, most=1.05, nodes=2):
    """Pulls on two nodes under the rules, to a right end; (facts, seconds)."""
    with Lab(nodes=nodes, wan='200mbit', lan='400mbit', name=name, sample=sample('small')) as lab:
        lab.meet()
        lab.hub.faults(*rules)
        start = time.monotonic()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        for pull in pulls:
            pull.wait('complete', 90)
        seconds = time.monotonic() - start
        ratio = hub_ratio(lab, most)
        verify_all(lab, lab.hosts)
        return f'hub={ratio:.4f} time={seconds:.1f}s', seconds


def _status(code, headers=None, **more):
    return {'fault': {'kind': 'status', 'status': code, 'headers': headers or {}}, **more}


@case('hub')
def a_rate_limit_is_waited_out():
    """429 with RateLimit: t=3: nobody asks again before."""
    limited = {'RateLimit': '"resolvers";r=0;t=3', 'RateLimit-Policy': '"fixed window";"resolvers";q=3000;w=300'}
    facts, seconds = _under('limit', _status(429, limited, **{'class': 'resolve', 'times': 1}))
    need(seconds >= 3, f'done after {seconds:.1f} s')
    return facts


@case('hub')
def retry_after_is_honoured():
    """429 with Retry-After: 3 only."""
    facts, seconds = _under('after', _status(429, {'Retry-After': '3'}, **{'class': 'api', 'times': 2}))
    need(seconds >= 3, f'done after {seconds:.1f} s')
    return facts


@case('hub')
def a_hub_in_trouble_is_asked_again():
    """503 on every fourth request of any kind."""
    return _under('trouble', _status(503, **{'class': 'any', 'every': 4}))[0]


@case('hub')
def a_reset_in_mid_body_costs_little():
    """RST within the body, several times: goes on at the byte where it was."""
    return _under('reset', {'class': 'cdn', 'every': 3, 'times': 6, 'fault': {'kind': 'reset', 'after': MIB}}, most=1.25)[0]


@case('hub')
def an_early_close_costs_little():
    """Orderly end within the body."""
    return _under('close', {'class': 'cdn', 'every': 3, 'times': 6, 'fault': {'kind': 'close', 'after': MIB}}, most=1.25)[0]


@case('hub')
def an_expired_address_is_renewed():
    """The CDN finds the signed address too old: resolved again, nothing fetched twice."""
    return _under('expire', {'class': 'cdn', 'every': 3, 'times': 4, 'fault': {'kind': 'expire'}})[0]


@case('hub')
def a_stall_is_given_up():
    """Silence of 60 s within a body is not waited for."""
    facts, seconds = _under('stall', {'class': 'cdn', 'nth': [2], 'fault': {'kind': 'stall', 'after': 65536, 'seconds': 60}},
                            most=1.3)
    need(seconds < 45, f'{seconds:.0f} s')
    return facts


@case('hub')
def answers_that_make_no_sense_are_refused():
    """Wrong Content-Range, all of the file to a Range request, a captive portal's page."""
    return _under('nonsense', {'class': 'cdn', 'nth': [1], 'fault': {'kind': 'wrong-range'}},
                  {'class': 'cdn', 'nth': [2], 'fault': {'kind': 'full200'}},
                  {'class': 'cdn', 'nth': [3], 'fault': {'kind': 'html'}}, most=1.6)[0]


@case('hub')
def half_a_listing_is_no_listing():
    """Half a JSON, or a captive portal's page in its place: refused with a reason, nothing half in the cache."""
    with Lab(nodes=1, wan='400mbit', lan='400mbit', name='half', sample=sample('small')) as lab:
        for kind in ('truncate-json', 'html'):
            lab.hub.faults({'class': 'api', 'fault': {'kind': kind}})
            pull = lab[1].pull(lab.sample.name)
            lab.wait_for(lambda: pull.info.get('ErrorMessage'), 30, 'a reason')
            nothing_wrong(lab[1].cache, lab.sample)
            lab.hub.no_faults()
            if pull.state == 'failed':
                pull.resume()
            pull.wait('complete')
            lab[1].exoctl('cancel', str(pull.info['Id']))
            lab[1].exoctl('models', 'rm', lab.sample.name)


@case('hub')
def wrong_bytes_once_never_reach_the_cache():
    """One flipped bit: fetched again, or a clear Mismatch; never a wrong file."""
    with Lab(nodes=2, wan='200mbit', lan='400mbit', name='flip', sample=sample('small')) as lab:
        lab.meet()
        lab.hub.faults({'match': '*one-piece.dat', 'class': 'cdn', 'times': 1, 'fault': {'kind': 'flip', 'offset': 1000}})
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        lab.wait_for(lambda: all(pull.state in ('complete', 'failed') for pull in pulls), 60, 'an end')
        for host, pull in zip(lab.hosts, pulls):
            nothing_wrong(host.cache, lab.sample)
            need(pull.state == 'complete' or pull.info['Error'] == 'Mismatch', f'{pull.info["Error"]}')
            if pull.state == 'failed':
                pull.resume()
                pull.wait('complete')
        verify_all(lab, lab.hosts)
        return f'hub={hub_ratio(lab, 1.1):.4f}'


@case('hub')
def wrong_bytes_for_ever_are_a_mismatch():
    """A flipped bit each time: Mismatch, nothing wrong in any cache; right again after the Hub is."""
    with Lab(nodes=2, wan='200mbit', lan='400mbit', name='liar', sample=sample('small')) as lab:
        lab.meet()
        lab.hub.faults({'match': '*model-00002*', 'class': 'cdn', 'fault': {'kind': 'flip', 'offset': 2 * MIB}})
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        for host, pull in zip(lab.hosts, pulls):
            info = pull.wait('failed', 90)
            need(info['Error'] == 'Mismatch', f'{info["Error"]}: {info["ErrorMessage"]}')
            need('model-00002' in info['ErrorMessage'], f'the message does not name the file: {info["ErrorMessage"]}')
            nothing_wrong(host.cache, lab.sample)
        failed = lab.hub.stats()['bytes'] / lab.sample.bytes
        lab.hub.no_faults()
        for pull in pulls:
            pull.resume()
        for pull in pulls:
            pull.wait('complete')
        verify_all(lab, lab.hosts)
        return f'until-given-up={failed:.3f}'


@case('hub')
def a_file_that_changes_stays_one_commit():
    """main moves on in mid-transfer: what comes is one commit, whole, and a later pull brings the other."""
    root = sandbox.root() / 'changing'
    shutil.copytree(sample('small').root, root)
    old = Sample(root, sample('small').name)
    with Lab(nodes=2, wan='80mbit', lan='400mbit', name='change', sample=old) as lab:
        lab.meet()
        pulls = [host.pull(old.name) for host in lab.hosts]
        pulls[0].wait_bytes(4 * MIB)
        (old.tree / 'config.json').write_text('{"changed": true}\n')
        lab.hub.reload()
        lab.wait_for(lambda: all(pull.state in ('complete', 'failed') for pull in pulls), 60, 'an end')
        commits = {pull.info['Commit'] for pull in pulls}
        need(len(commits) == 1, f'commits {commits}')
        for pull in pulls:
            need(pull.state == 'complete' or pull.info['ErrorMessage'], 'failed without a word')
        again = lab[1].pull(old.name)
        snapshots = lab[1].cache / 'models--lab--small' / 'snapshots'
        lab.wait_for(lambda: any('changed' in path.read_text() for path in snapshots.glob('*/config.json')), 20, 'the new commit')
        again.wait('complete')
        ended = {pull.state for pull in pulls}
    shutil.rmtree(root)
    return f'first={sorted(ended)}'
