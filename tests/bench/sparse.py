# SPDX-License-Identifier: Apache-2.0
"""A model too big for any disk here: files of zeros that take no room, and what an agent keeps of such a download."""

import hashlib
import json
import os
import random
import struct
import zlib
from pathlib import Path

import metainfo

_BLOCK = bytes(1 << 20)
_SHARD = 5 * 10**9


def oids(sizes):
    """SHA-256 of as many zeros: {size: hex}. Sizes differ, so that the files do."""
    found, digest, done = {}, hashlib.sha256(), 0
    for size in sorted(sizes):
        while done < size:
            step = min(len(_BLOCK), size - done)
            digest.update(_BLOCK[:step])
            done += step
        found[size] = digest.hexdigest()
    return found


def make(root, name, gigabytes):
    """The folder of a stand-in Hub with such a model: {oid: size}. The Hub is told the hashes (its .hashes.json)."""
    folder = Path(root) / 'models' / name / 'main'
    folder.mkdir(parents=True)
    (folder / 'config.json').write_text('{}\n')
    shards = max(1, gigabytes * 10**9 // _SHARD)
    known = oids(_SHARD + number for number in range(shards))
    hashes = {}
    for number, (size, oid) in enumerate(known.items(), 1):
        path = folder / f'model-{number:05}-of-{shards:05}.safetensors'
        path.touch()
        os.truncate(path, size)
        info = path.stat()
        seconds, nanoseconds = divmod(info.st_mtime_ns, 10**9)
        hashes[f'/{path.relative_to(root)}|{size}|{seconds}.{nanoseconds:09}|l'] = oid
    (Path(root) / '.hashes.json').write_text(json.dumps(hashes))
    return {oid: size for size, oid in known.items()}


def journal(oid, size, pieces, boot):
    """Bytes of a journal (transfer/store/journal.h) that says: these pieces are on disk."""
    chain, out = zlib.crc32(oid.encode()), []
    payloads = [(b'H', b'exo-jrn1' + struct.pack('<Q', size) + bytes(16) + boot.encode())]
    payloads += [(b'A', struct.pack('<IH', piece, 0)) for piece in pieces]
    for kind, payload in payloads:
        head = kind + bytes([len(payload)])
        chain = zlib.crc32(payload, zlib.crc32(head, chain))
        out.append(head + struct.pack('<I', chain) + payload)
    return b''.join(out)


def count(size):
    """Pieces of a file of that many bytes."""
    return -(-size // metainfo.piece_size(size))


def held(size, seed, part, spared):
    """A random part of the pieces of a file, none of the first spared ones: while one of those lacks, nothing is hashed."""
    rest = range(min(spared, count(size)), count(size))
    return sorted(random.Random(seed).sample(rest, int(len(rest) * part)))


def prepare(cache, name, known, seed, part, spared=64):
    """Puts into a cache what a node that was stopped has of it."""
    blobs = Path(cache) / ('models--' + name.replace('/', '--')) / 'blobs'
    blobs.mkdir(parents=True)
    boot = Path('/proc/sys/kernel/random/boot_id').read_text().strip()
    for place, (oid, size) in enumerate(known.items()):
        (blobs / f'{oid}.exo-part').touch(0o600)
        os.truncate(blobs / f'{oid}.exo-part', size)
        pieces = held(size, seed * 1000 + place, part, spared)
        (blobs / f'{oid}.exo-journal').write_bytes(journal(oid, size, pieces, boot))
