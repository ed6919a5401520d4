# SPDX-License-Identifier: Apache-2.0
"""Sample models, and whether a cache holds one exactly."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

_PARTIAL = re.compile(r'\.(exo-part|exo-journal|exo-damaged|incomplete|tmp)$|\.tmp')
_BLOCK = 1 << 20


class Wrong(AssertionError):
    """A cache is not what it has to be."""


class Sample:
    """A model in the folder of a stand-in Hub: root/models/ORG/NAME/main/..."""

    def __init__(self, root, name):
        self.root, self.name = Path(root), name
        self.tree = self.root / 'models' / name / 'main'
        self.files = {str(path.relative_to(self.tree)): path.stat().st_size
                      for path in sorted(self.tree.rglob('*')) if path.is_file()}
        self.bytes = sum(self.files.values())
        self.oids = {}

    @classmethod
    def make(cls, tool, root, name, size):
        Path(root).mkdir(parents=True, exist_ok=True)
        subprocess.run([str(tool), str(root), '--size', str(size), '--name', name], check=True,
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return cls(root, name)

    @property
    def largest(self):
        return max(self.files, key=self.files.get)

    def oid(self, path, kind):
        """Of the file as it should be; kind is the number of digits: 40 git blob SHA-1, 64 SHA-256."""
        if (path, kind) not in self.oids:
            digest = hashlib.sha256() if kind == 64 else hashlib.sha1(b'blob %d\0' % self.files[path])
            with open(self.tree / path, 'rb') as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
            self.oids[path, kind] = digest.hexdigest()
        return self.oids[path, kind]


def _same(one, other):
    if one.stat().st_size != other.stat().st_size:
        return False
    with open(one, 'rb') as first, open(other, 'rb') as second:
        while True:
            block = first.read(_BLOCK)
            if block != second.read(_BLOCK):
                return False
            if not block:
                return True


def _need(true, message):
    if not true:
        raise Wrong(message)


def _check_link(cache, repo, commit, path, sample, blobs):
    link = repo / 'snapshots' / commit / path
    target = os.readlink(link)
    found = re.fullmatch(r'((?:\.\./)+)blobs/([0-9a-f]{40}|[0-9a-f]{64})', target)
    _need(found, f'{link} points to {target}')
    _need(found[1] == '../' * (2 + path.count('/')), f'{link} climbs wrongly: {target}')
    oid = found[2]
    _need(oid == sample.oid(path, len(oid)), f'{path}: named {oid}, is {sample.oid(path, len(oid))}')
    blob = repo / 'blobs' / oid
    _need(blob.is_file() and not blob.is_symlink(), f'{blob} is not a plain file')
    _need(_same(blob, sample.tree / path), f'{path} in {cache} differs from the Hub')
    blobs.add(oid)


def _check_around(repo, commit, blobs, revision):
    there = {entry.name for entry in (repo / 'blobs').iterdir()}
    _need(there == blobs, f'blobs/ holds {sorted(there - blobs)} too much, {sorted(blobs - there)} too little')
    refs = {str(path.relative_to(repo / 'refs')) for path in (repo / 'refs').rglob('*') if not path.is_dir()}
    _need(refs == {revision}, f'refs/ holds {sorted(refs)}')
    entries = {entry.name for entry in repo.iterdir()}
    _need(entries <= {'blobs', 'refs', 'snapshots', 'trees', '.no_exist'}, f'{repo} holds {sorted(entries)}')
    trees = repo / 'trees'
    if trees.exists():
        _need([entry.name for entry in trees.iterdir()] == [commit + '.json'], f'stray files in {trees}')
        text = (trees / (commit + '.json')).read_text()
        _need('xet' not in text, 'trees/ names Xet hashes')
        _need(json.loads(text)['format_version'] == 1, 'trees/ has another format')


def verify(cache, sample, revision='main', only=None):
    """Byte by byte, link by link (hub-protocol 3.2, 3.4). only: paths that were asked for. Returns the number of files."""
    cache = Path(cache)
    repo = cache / ('models--' + sample.name.replace('/', '--'))
    top = {entry.name for entry in cache.iterdir()}
    _need(top <= {repo.name, '.locks', 'CACHEDIR.TAG'}, f'{cache} holds {sorted(top)}')
    ref = (repo / 'refs' / revision).read_bytes()
    _need(re.fullmatch(rb'[0-9a-f]{40}', ref), f'refs/{revision} is {ref!r}')
    commit = ref.decode()
    _need([entry.name for entry in (repo / 'snapshots').iterdir()] == [commit], 'snapshots/ holds other commits')
    snapshot = repo / 'snapshots' / commit
    there = {str(path.relative_to(snapshot)) for path in snapshot.rglob('*') if path.is_symlink() or not path.is_dir()}
    wanted = set(sample.files if only is None else only)
    _need(there == wanted, f'snapshot: {sorted(there - wanted)} too much, {sorted(wanted - there)} missing')
    blobs = set()
    for path in sorted(wanted):
        _check_link(cache, repo, commit, path, sample, blobs)
    _check_around(repo, commit, blobs, revision)
    return len(wanted)


def nothing_wrong(cache, sample):
    """After a failure: what lies under a final name is right, or is not there."""
    repo = Path(cache) / ('models--' + sample.name.replace('/', '--'))
    good = {sample.oid(path, kind) for path in sample.files for kind in (40, 64)}
    for blob in (repo / 'blobs').glob('*') if repo.exists() else ():
        if _PARTIAL.search(blob.name):
            continue
        _need(blob.name in good, f'{blob} is none of the sample')
        path = next(path for path in sample.files for kind in (40, 64) if sample.oid(path, kind) == blob.name)
        _need(_same(blob, sample.tree / path), f'{blob} holds wrong bytes')
