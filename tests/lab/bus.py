# SPDX-License-Identifier: Apache-2.0
"""Just enough D-Bus to watch an agent: method calls, and a mirror of its objects kept up by signals.

Spoken directly, because starting a gdbus process for every look would cost more than the agents under test.
"""

import os
import select
import socket
import struct
import time

_ALIGN = {'y': 1, 'b': 4, 'n': 2, 'q': 2, 'i': 4, 'u': 4, 'x': 8, 't': 8, 'd': 8, 's': 4, 'o': 4, 'g': 1, 'a': 4,
          '(': 8, '{': 8, 'v': 1, 'h': 4}
_FIXED = {'y': 'B', 'n': 'h', 'q': 'H', 'i': 'i', 'u': 'I', 'x': 'q', 't': 'Q', 'd': 'd', 'b': 'I', 'h': 'I'}
AGENT = 'org.exo.Agent1'
ROOT = '/org/exo/Agent1'
PROPERTIES = 'org.freedesktop.DBus.Properties'
MANAGER = 'org.freedesktop.DBus.ObjectManager'


class BusError(Exception):
    def __init__(self, name, message):
        super().__init__(f'{name}: {message}')
        self.name = name


def _split(signature):
    """The first complete type of a signature, and the rest."""
    if signature[0] == 'a':
        inner, rest = _split(signature[1:])
        return 'a' + inner, rest
    if signature[0] not in '({':
        return signature[0], signature[1:]
    depth = 0
    for index, letter in enumerate(signature):
        depth += (letter in '({') - (letter in ')}')
        if depth == 0:
            return signature[:index + 1], signature[index + 1:]
    raise ValueError(signature)


def _types(signature):
    while signature:
        first, signature = _split(signature)
        yield first


class _Writer:
    def __init__(self):
        self.data = bytearray()

    def pad(self, size):
        self.data += bytes(-len(self.data) % size)

    def put(self, kind, value):
        self.pad(_ALIGN[kind[0]])
        if kind in _FIXED:
            self.data += struct.pack('<' + _FIXED[kind], value)
        elif kind in 'so':
            text = value.encode()
            self.data += struct.pack('<I', len(text)) + text + b'\0'
        elif kind == 'g':
            self.data += bytes([len(value)]) + value.encode() + b'\0'
        elif kind == 'v':  # (signature, value)
            self.put('g', value[0])
            self.put(*value)
        elif kind[0] == 'a':
            self._put_array(kind[1:], value)
        else:
            for inner, item in zip(_types(kind[1:-1]), value):
                self.put(inner, item)

    def _put_array(self, inner, value):
        at = len(self.data)
        self.data += bytes(4)
        self.pad(_ALIGN[inner[0]])
        start = len(self.data)
        for item in (value.items() if isinstance(value, dict) else value):
            self.put(inner, item)
        struct.pack_into('<I', self.data, at, len(self.data) - start)


class _Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def get(self, kind):
        self.at += -self.at % _ALIGN[kind[0]]
        if kind in _FIXED:
            (value,) = struct.unpack_from('<' + _FIXED[kind], self.data, self.at)
            self.at += struct.calcsize(_FIXED[kind])
            return bool(value) if kind == 'b' else value
        if kind in 'so':
            return self._text(self.get('u'))
        if kind == 'g':
            return self._text(self.get('y'))
        if kind == 'v':
            return self.get(self.get('g'))
        if kind[0] != 'a':
            return tuple(self.get(inner) for inner in _types(kind[1:-1]))
        length = self.get('u')
        self.at += -self.at % _ALIGN[kind[1]]
        end, items = self.at + length, []
        while self.at < end:
            items.append(self.get(kind[1:]))
        return dict(items) if kind[1] == '{' else items

    def _text(self, length):
        text = self.data[self.at:self.at + length].decode()
        self.at += length + 1
        return text


class Bus:
    """One connection. objects: {path: {interface: {property: value}}} of the agent, as last heard."""

    def __init__(self, path):
        self.path = str(path)
        self.serial = 0
        self.objects = {}
        self.warnings = []  # (kind, message)
        self.heard = []  # (interface, member, values) of all other signals that were matched
        self.violations = []  # what the interface promises never happens
        self.owner = ''
        self.buffer = b''
        self.replies = {}
        self.waiting = 0  # for the reply to this call; what came after it stays in the buffer until it was used
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)
        self.socket.sendall(b'\0AUTH EXTERNAL ' + str(os.getuid()).encode().hex().encode() + b'\r\n')
        if not self.socket.recv(256).startswith(b'OK'):
            raise ConnectionError('refused by ' + self.path)
        self.socket.sendall(b'BEGIN\r\n')
        self._driver('Hello', '')
        for rule in (f"type='signal',sender='{AGENT}'",
                     f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{AGENT}'"):
            self.match(rule)

    def close(self):
        self.socket.close()

    def match(self, rule):
        self._driver('AddMatch', 's', rule)

    def _driver(self, member, signature, *values):
        return self.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', member, signature, *values,
                         to='org.freedesktop.DBus')

    def call(self, path, interface, member, signature='', *values, to=AGENT, timeout=30):
        self.serial += 1
        body = _Writer()
        for kind, value in zip(_types(signature), values):
            body.put(kind, value)
        head = _Writer()
        fields = [(1, ('o', path)), (2, ('s', interface)), (3, ('s', member)), (6, ('s', to))]
        fields += [(8, ('g', signature))] if signature else []
        for kind, value in zip('yyyyuu', (ord('l'), 1, 0, 1, len(body.data), self.serial)):
            head.put(kind, value)
        head.put('a(yv)', fields)
        head.pad(8)
        self.socket.sendall(head.data + body.data)
        name, values = self._reply(self.serial, member, time.monotonic() + timeout)
        if name:
            raise BusError(name, values[0] if values else '')
        return values

    def _reply(self, serial, member, end):
        self.waiting = serial
        try:
            while serial not in self.replies:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f'{member} was not answered in time')
                self.pump(left)
        finally:
            self.waiting = 0
        return self.replies.pop(serial)

    def properties(self, path=ROOT, interface=AGENT):
        return self.call(path, PROPERTIES, 'GetAll', 's', interface)[0]

    def sync(self):
        """Asks for all objects; False if no agent is there."""
        try:
            self.owner = self._driver('GetNameOwner', 's', AGENT)[0]
            self.objects = self.call(ROOT, MANAGER, 'GetManagedObjects')[0]
            self.objects.setdefault(ROOT, {})[AGENT] = self.properties()
        except BusError:
            self.owner, self.objects = '', {}
            return False
        for path in self.objects:
            self._check(path)
        return True

    def pump(self, timeout=0.0):
        """Takes what has arrived, after waiting up to timeout seconds for something."""
        while True:
            while self.waiting not in self.replies and self._take():
                timeout = 0
            if self.waiting in self.replies or not select.select([self.socket], [], [], timeout)[0]:
                return
            timeout = 0
            data = self.socket.recv(1 << 20)
            if not data:
                raise ConnectionError('the bus at ' + self.path + ' is gone')
            self.buffer += data

    def _take(self):
        if len(self.buffer) < 16:
            return False
        _, body, _, fields = struct.unpack_from('<4sIII', self.buffer)
        start = (16 + fields + 7) & ~7
        if len(self.buffer) < start + body:
            return False
        message, self.buffer = self.buffer[:start + body], self.buffer[start + body:]
        field = {code: value for code, value in _Reader(message, 12).get('a(yv)')}
        reader = _Reader(message[start:])
        values = [reader.get(kind) for kind in _types(field.get(8, ''))]
        if message[1] in (2, 3):
            self.replies[field[5]] = (field.get(4, ''), values)
        elif message[1] == 4:
            self._signal(field.get(1), field.get(2), field.get(3), values)
        return True

    def _signal(self, path, interface, member, values):
        if member == 'NameOwnerChanged':
            self.owner = values[2]
            self.objects = {}
        elif member == 'PropertiesChanged':
            # Of what is not known yet, the answer to GetManagedObjects on its way says all.
            known = self.objects.get(path, {}).get(values[0])
            if known is not None:
                known.update(values[1])
                self._check(path)
        elif member == 'InterfacesAdded':
            self.objects.setdefault(values[0], {}).update(values[1])
            self._check(values[0])
        elif member == 'InterfacesRemoved':
            for name in values[1]:
                self.objects.get(values[0], {}).pop(name, None)
        elif (interface, member) == (AGENT, 'Warning'):
            self.warnings.append(tuple(values[:2]))
        else:
            self.heard.append((interface, member, values))

    def _check(self, path):
        seen = self.objects[path].get(AGENT + '.Transfer')
        if seen and seen.get('BytesDone', 0) > seen.get('BytesTotal', 0):
            self.violations.append(f"{path}: {seen['BytesDone']} bytes done of {seen['BytesTotal']}")


class Avahi:
    """A client of one host's avahi-daemon."""

    NAME = 'org.freedesktop.Avahi'

    def __init__(self, path):
        self.bus = Bus(path)
        self.bus.match(f"type='signal',interface='{self.NAME}.ServiceBrowser'")

    def _call(self, path, interface, member, signature='', *values):
        return self.bus.call(path, f'{self.NAME}.{interface}', member, signature, *values, to=self.NAME)

    def running(self):
        try:
            return self._call('/', 'Server', 'GetState')[0] == 2
        except BusError:
            return False

    def publish(self, name, kind, port, txt=()):
        """Until this connection closes. txt: byte strings."""
        group = self._call('/', 'Server', 'EntryGroupNew')[0]
        self._call(group, 'EntryGroup', 'AddService', 'iiussssqaay', -1, -1, 0, name, kind, '', '', port, list(txt))
        self._call(group, 'EntryGroup', 'Commit')

    def browse(self, kind):
        self._call('/', 'Server', 'ServiceBrowserNew', 'iissu', -1, -1, kind, '', 0)

    def names(self):
        """Of the services found so far."""
        self.bus.pump()
        found = set()
        for _, member, values in self.bus.heard:
            if member == 'ItemNew':
                found.add(values[2])
            elif member == 'ItemRemove':
                found.discard(values[2])
        return found

    def close(self):
        self.bus.close()
