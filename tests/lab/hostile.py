# SPDX-License-Identifier: Apache-2.0
"""Run on a machine of the lab: a neighbour that means no good.

hostile.py garbage HOST PORT          what no client would send
hostile.py crowd HOST PORT N SECONDS  N connections, held open; prints how many there were
hostile.py peer PORT ID               an agent that answers nonsense to everything, for ever
"""

import http.server
import random
import resource
import select
import socket
import socketserver
import sys
import time

_OID = 'a' * 64
_REQUESTS = [
    b'\0' * 4096, b'GET', b'GET / HTTP/9.9\r\n\r\n', b'\r\n' * 5000, b'GET ' + b'/' * 200000 + b' HTTP/1.1\r\n\r\n',
    b'GET /v1/node HTTP/1.1\r\n' + b'X: ' + b'y' * 200000 + b'\r\n\r\n',
    b'GET /v1/node HTTP/1.1\r\nHost: a\r\n' + b''.join(b'X-%d: y\r\n' % i for i in range(5000)) + b'\r\n',
    b'GET /v1/blobs/../../../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET /v1/blobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET /v1/manifests/model/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET /v1/manifests/model/a%00b/c/main HTTP/1.1\r\nHost: a\r\n\r\n',
    b'DELETE /v1/node HTTP/1.1\r\nHost: a\r\n\r\n',
    b'POST /v1/pulls HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}',
    b'POST /v1/swarm HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\n\r\n{',
    b'POST /v1/swarm HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{',
    b'POST /v1/swarm HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n' + b'x' * 100000,
]
_RANGES = ['bytes=-', 'bytes=5-2', 'bytes=99999999999999999999-', 'bytes=0-0,1-1', 'bytes=' + '0-1,' * 2000, 'x', '']
_BODIES = [
    b'', b'null', b'[]', b'{}', b'{"v":1}', b'{"v":2,"id":"' + b'0' * 32 + b'"}', b'[' * 20000, b'{"a":' * 20000, b'\xff\xfe',
    b'{"v":1,"id":"' + b'f' * 32 + b'","name":"x","port":1,"hub":true,"hub_rate":-1,"oids":[["' + b'A' * 64 + b'",1]]}',
    b'{"v":1,"id":"' + b'f' * 32 + b'","name":"\\u0000\\u001b[2J","port":99999,"oids":[["../../etc/passwd",-5]]}',
    b'{"v":1,"id":"' + b'f' * 32 + b'","name":"x","port":52418,"hub":true,"hub_rate":0,"oids":['
    + b','.join(b'["%064x",1000000000000]' % i for i in range(60000)) + b']}',
]
_LINES = [
    b'', b'{', b'null', b'[[[[', b'{"have":[[0,0,4294967295]]}', b'{"have":[[-1,0,1]]}', b'{"have":[[999999,0,1]]}',
    b'{"state":[{"b":0,"have":"all"},{"b":0,"have":"!!!"},{"b":1e99,"have":""}]}', b'{"claim":"x","fetch":{},"release":[1]}',
    b'{"v":1,"id":"zz","name":5,"hub":"yes"}', b'{"load":[-1,1e308]}', b'\xff' * 3000, b'x' * 3000000,
    b'{"have":[' + b','.join(b'[0,%d,1]' % i for i in range(20000)) + b']}', b'{"wants":[[0,1],[5,true]]}',
]


def garbage(host, port):
    requests = list(_REQUESTS)
    for text in _RANGES:
        requests.append(f'GET /v1/blobs/{_OID} HTTP/1.1\r\nHost: a\r\nRange: {text}\r\n\r\n'.encode())
    for body in _BODIES:
        requests.append(b'POST /v1/swarm HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
    noise = random.Random(1)
    requests += [noise.randbytes(noise.randrange(1, 5000)) for _ in range(100)]
    for request in requests:
        try:
            with socket.create_connection((host, int(port)), 5) as connection:
                connection.settimeout(0.3)
                connection.sendall(request)
                connection.recv(4096)
        except OSError:
            pass  # to be thrown out is a right answer
    print(len(requests))


def crowd(host, port, number, seconds):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = []
    poll = select.poll()
    for _ in range(min(int(number), hard - 100)):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((host, int(port)))
        poll.register(one, select.POLLOUT)
        held.append(one)
    up, end = set(), time.monotonic() + float(seconds)
    while time.monotonic() < end:
        for number, events in poll.poll(200):
            poll.unregister(number)
            if events & select.POLLOUT and not events & (select.POLLERR | select.POLLHUP):
                up.add(number)
    print(len(held), len(up))


class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    identity = '0' * 32

    def do_GET(self):
        body = random.choice([b'null', b'{"v":1,"id":5}', b'<html>', b'{' * 5000, b'\xff' * 100,
                              b'{"v":1,"id":"%s","name":"x","port":0}' % self.identity.encode()])
        self.send_response(random.choice([200, 200, 206, 500, 301]))
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Content-Range', 'bytes 0-9/5')
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.send_response(200)
        self.send_header('Content-Type', 'application/x-ndjson')
        self.end_headers()
        try:
            if random.random() < 0.7:
                self.wfile.write(b'{"v":1,"id":"%s","name":"fake","hub":true,"hub_rate":0,"up":0,"queue":0}\n'
                                 % self.identity.encode())
                self.wfile.write(b'{"state":[{"b":0,"wants":true,"have":"all","claim":[],"fetch":[]}]}\n')
            for _ in range(20):
                self.wfile.write(random.choice(_LINES) + b'\n')
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, *words):
        pass


def peer(port, identity):
    Peer.identity = identity

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    Server(('', int(port)), Peer).serve_forever()


if __name__ == '__main__':
    {'garbage': garbage, 'crowd': crowd, 'peer': peer}[sys.argv[1]](*sys.argv[2:])
