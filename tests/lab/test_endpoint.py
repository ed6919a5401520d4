# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of the agent but HF_ENDPOINT."""

import shlex
import shutil
import time
import urllib.parse
from pathlib import Path

from cases import Skip, case, sample
from lab import BUILD, TREE, Lab, need
from test_share import hub_ratio

ENDPOINT = 'http://127.0.0.1:52419'


def fetch_all(host, model, log):
    """curl for all files at once, as exo and huggingface_hub have several under way."""
    folder = host.dir / 'fetched'
    lines = ['parallel', 'parallel-max = 8', 'fail', 'silent', 'show-error', 'create-dirs']
    for path in model.files:
        lines += [f'url = "{ENDPOINT}/{model.name}/resolve/main/{urllib.parse.quote(path)}"',
                  f'output = "{folder / path}"']
    (host.dir / 'curlrc').write_text('\n'.join(lines) + '\n')
    return host.spawn(['curl', '--config', host.dir / 'curlrc'], log)


def compare(host, model):
    for path, size in model.files.items():
        found = host.dir / 'fetched' / path
        if size == 0 and not found.exists():
            continue  # curl makes no file for nothing
        need(found.read_bytes() == (model.tree / path).read_bytes(), f'{path} differs on {host.name}')


@case('share')
def programs_on_four_machines_cost_one_download():
    """curl on four cold machines at the same moment, through their agents: one copy over the internet link."""
    with Lab(nodes=4, wan='200mbit', lan='400mbit', name='programs', sample=sample('big')) as lab:
        lab.meet()
        lab.hub.reset()
        start = time.monotonic()
        fetches = [fetch_all(host, lab.sample, 'curl.log') for host in lab.hosts]
        lab.wait_for(lambda: all(fetch.poll() is not None for fetch in fetches), 90, 'curl on all nodes')
        seconds = time.monotonic() - start
        need(not any(fetch.returncode for fetch in fetches), f'curl: {[fetch.returncode for fetch in fetches]}\n{lab.logs()}')
        for host in lab.hosts:
            compare(host, lab.sample)
        ratio = hub_ratio(lab, 1.02)
        for host in lab.hosts:
            lab.wait_for(lambda h=host: [t.state for t in h.transfers()] == ['complete'], 20, f'{host.name} complete')
            host.verify_cache(lab.sample)
        limit = lab.sample.bytes * 8 / 200e6
        return f'hub={ratio:.4f} time={seconds:.1f}s link-limit={limit:.1f}s'


@case('share')
def the_stock_client_downloads_through_an_agent():
    """@huggingface/hub with the agent as its Hub; the neighbour has the model, the Hub sends no byte but peeks."""
    script, modules = TREE / 'tests' / 'hub' / 'endpoint-client.mjs', BUILD / 'tests' / 'hub' / 'node'
    if not shutil.which('node') or not (modules / 'node_modules').exists():
        raise Skip('@huggingface/hub is not installed')
    with Lab(nodes=2, wan='400mbit', lan='400mbit', name='client', sample=sample('small')) as lab:
        lab.meet()
        lab[1].pull(lab.sample.name).wait('complete', 60)
        lab.hub.reset()
        words = [script, ENDPOINT, lab.sample.name, lab.sample.tree, lab[2].dir / 'js-cache']
        client = lab[2].spawn(['sh', '-ec', f'cd {shlex.quote(str(modules))}; exec node "$@"', 'sh', *words], 'client.log')
        lab.wait_for(lambda: client.poll() is not None, 90, 'the client')
        need(client.returncode == 0, f'{Path(lab[2].dir / "client.log").read_text()}\n{lab.logs()}')
        sent = lab.hub.stats()['bytes']
        need(sent < 1000, f'the Hub sent {sent} bytes')
        return f'hub-bytes={sent} {Path(lab[2].dir / "client.log").read_text().strip()}'
