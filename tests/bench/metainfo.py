# SPDX-License-Identifier: Apache-2.0
"""Torrents of a sample, and what a tracker answers: BEP 3, 19 (web seeds) and 23 (compact peers)."""

import hashlib
import socket
import struct

_KIB, _MIB = 1 << 10, 1 << 20
_INTERVAL_S = 10


def bencode(value):
    if isinstance(value, int):
        return b'i%de' % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b'%d:%s' % (len(value), value)
    if isinstance(value, dict):
        keyed = sorted((key.encode(), item) for key, item in value.items())
        return b'd' + b''.join(bencode(key) + bencode(item) for key, item in keyed) + b'e'
    return b'l' + b''.join(map(bencode, value)) + b'e'


def piece_size(size):
    """Of a file of that many bytes, as the agent cuts it (transfer/swarm/piece-map.c)."""
    piece = 256 * _KIB
    while piece < 4 * _MIB and piece * 2 <= size // 1024:
        piece *= 2
    return piece


def hashes(tree, paths, size):
    """SHA-1 of the pieces of all files, one behind the other."""
    found, rest = [], b''
    for path in paths:
        with open(tree / path, 'rb') as file:
            while block := file.read(size - len(rest)):
                rest += block
                if len(rest) == size:
                    found.append(hashlib.sha1(rest).digest())
                    rest = b''
    return b''.join(found + ([hashlib.sha1(rest).digest()] if rest else []))


def torrent(tree, files, tracker, web_seed=None):
    """Bytes of the torrent named main of {path: size} below tree. web_seed: the URL that the name and a path go behind."""
    paths, size = sorted(files), piece_size(max(files.values()))
    info = {'name': 'main', 'piece length': size, 'pieces': hashes(tree, paths, size),
            'files': [{'length': files[path], 'path': path.split('/')} for path in paths]}
    return bencode({'announce': tracker, 'info': info, **({'url-list': [web_seed]} if web_seed else {})})


def announced(peers):
    """What a tracker answers that knows these (IPv4 address, port)."""
    compact = b''.join(socket.inet_aton(address) + struct.pack('>H', port) for address, port in sorted(peers))
    return bencode({'interval': _INTERVAL_S, 'min interval': 1, 'peers': compact})
