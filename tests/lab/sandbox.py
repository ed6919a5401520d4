# SPDX-License-Identifier: Apache-2.0
"""A private corner of this machine in which a lab can be built and from which nothing leaks.

sandbox.enter(main) runs main() again in a child with its own network, mount and process namespaces, as root, or
without root in its own user namespace. Everything a lab makes (bridges, hosts, mounts, daemons) lives in there: when
the child ends, however it ends, the kernel takes it all away. Only files are left, in one folder whose lock says
whether its owner still lives; the next run removes those of the dead.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

_LIFE = 'EXO_LAB_LIFE_FD'
_ROOT = 'EXO_LAB_ROOT'
_PREFIX = 'exo-lab-'
_GRACE_S = 20
_PR_SET_PDEATHSIG = 1

# A user "avahi" must exist, and where only one id is mapped it has to be that one.
_PASSWD = 'root:x:0:0:root:/root:/bin/sh\navahi:x:0:0:avahi:/:/usr/sbin/nologin\n'
_GROUP = 'root:x:0:\navahi:x:0:\nnetdev:x:0:\n'


def root():
    """The folder of this sandbox; only inside."""
    return Path(os.environ[_ROOT])


def _unshare_words():
    words = ['unshare', '--net', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc']
    as_user = words[:1] + ['--user', '--map-root-user'] + words[1:]
    return [words, as_user] if os.geteuid() == 0 else [as_user]


def _works(words):
    probe = ('mount -t tmpfs none /run && ip link add probe0 type veth peer name probe1 && ip link add probe2 type bridge'
             ' && tc qdisc add dev probe0 root tbf rate 1mbit burst 16k latency 30ms')
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
    done = subprocess.run(words + ['sh', '-c', probe], env=dict(os.environ, PATH=path), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode == 0, done.stderr.strip()


def find():
    """The words that make a sandbox here, or None and the reason."""
    reason = ''
    for words in _unshare_words():
        try:
            good, reason = _works(words)
        except FileNotFoundError as missing:
            return None, str(missing)
        if good:
            return words, ''
    return None, reason.splitlines()[-1] if reason else 'unshare failed'


def _sweep(base):
    for folder in base.glob(_PREFIX + '*'):
        try:
            lock = os.open(folder / 'lock', os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # its owner lives
        finally:
            os.close(lock)


def make_folder(base):
    """A new folder and its lock, held."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        lock = os.open(folder / 'lock', os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return folder, lock
        os.close(lock)  # another run began just then, and took it for one of the dead


def _die_with_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _outside(words):
    # /tmp rather than a long TMPDIR: the paths of Unix sockets are limited to 107 bytes.
    base = Path(tempfile.gettempdir())
    base = base if len(str(base)) < 40 else Path('/tmp')
    _sweep(base)
    folder, lock = make_folder(base)
    watch, life = os.pipe()
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
    env = dict(os.environ, PATH=path, **{_LIFE: str(watch), _ROOT: str(folder)})
    child = subprocess.Popen(words + [sys.executable, '-B', *sys.argv], env=env, pass_fds=[watch],
                             preexec_fn=_die_with_parent)
    os.close(watch)

    def on_signal(number, frame):
        nonlocal life
        if life >= 0:
            os.close(life)
            life = -1
            signal.alarm(_GRACE_S)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGALRM, lambda number, frame: child.kill())
    try:
        return child.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _inside(main):
    # Process 1 in here ignores signals it has no handler for, and the end of the pipe means: stop, tidily.
    def stop(number, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    life = int(os.environ.pop(_LIFE))

    def watch():
        os.read(life, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    files = root() / 'etc'
    files.mkdir()
    for name, text in (('passwd', _PASSWD), ('group', _GROUP)):
        (files / name).write_text(text)
        subprocess.run(['mount', '--bind', str(files / name), '/etc/' + name], check=True)
    subprocess.run(['mount', '-t', 'tmpfs', 'none', '/run'], check=True)
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    try:
        return main()
    except KeyboardInterrupt:
        print('stopped', file=sys.stderr)
        return 130


def enter(main, refused):
    """Ends the program with what main(), run inside, returned; refused(reason) is called where there is no inside."""
    if _LIFE in os.environ:
        code = _inside(main)
        sys.stdout.flush()
        os._exit(code or 0)  # the watching thread must not hold us
    words, reason = find()
    sys.exit(_outside(words) if words else refused(reason))
