# SPDX-License-Identifier: Apache-2.0
"""Runs exo-test-hub for a test, and talks to it the way a careful client would not: no redirect is
followed and no error is raised, so that every answer can be looked at."""

import http.client
import json
import re
import subprocess
import urllib.parse


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def __getitem__(self, name):
        return self.headers[name]

    def json(self):
        return json.loads(self.body)


def ask(url, method="GET", headers=None, body=None, timeout=20):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    target = parts.path + ("?" + parts.query if parts.query else "")
    try:
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


class Hub:
    def __init__(self, program, root, *options):
        self.process = subprocess.Popen([program, "--root", str(root), *options],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.base, self.cdn, self.admin = re.fullmatch(
            r"ready hub=(\S+) cdn=(\S+) admin=(\S+)\n", line).groups()

    def get(self, path, **headers):
        return ask(self.base + path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def head(self, path, **headers):
        return ask(self.base + path, "HEAD", {k.replace("_", "-"): v for k, v in headers.items()})

    def faults(self, *rules):
        answer = ask(self.admin + "/faults", "POST", body=json.dumps(rules))
        assert answer.status == 200, answer.body

    def steer(self, action, method="POST"):
        answer = ask(self.admin + action, method)
        assert answer.status == 200, answer.body
        return answer.json()

    def stop(self):
        self.process.terminate()
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        return status
