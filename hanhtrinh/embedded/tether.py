"""The tether: a tiny process between hanhtrinh and one server, which so never outlives us.

It runs as a script of its own (`python -I -S tether.py PLAN`) and imports nothing but the standard
library. Its standard input is a pipe whose other end only the owner holds: when that closes,
because the owner closed it, crashed or was killed with SIGKILL, the tether stops the server in
order. On Linux the kernel ends the server if the tether itself is killed.

Why not PR_SET_PDEATHSIG on the server alone: that signal is sent when the *thread* that started
the server ends, exists on Linux only, and cannot stop PostgreSQL in order (one signal, no wait).
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
OWNER_CHECK_S = 1.0
"""A forked copy of the owner may hold the pipe open too: so the parent's id is looked at."""


def _end_with(parent: int, death_signal: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def start(plan: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the server of the plan, under the plan's account if it names one."""
    tether = os.getpid()
    death_signal = signal.Signals[plan["death_signal"]]
    account: dict[str, Any] = {}
    if plan["uid"] is not None:
        account = {"user": plan["uid"], "group": plan["gid"], "extra_groups": []}
    return subprocess.Popen(  # noqa: S603 - the owner's own command line
        plan["command"],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        cwd="/",
        env=plan["env"],
        pass_fds=plan["pass_fds"],
        # The tether has one thread, and a change of account would undo an earlier prctl.
        preexec_fn=(lambda: _end_with(tether, death_signal))  # noqa: PLW1509
        if sys.platform == "linux"
        else None,
        **account,
    )


def stop(server: subprocess.Popen[bytes], steps: list[tuple[str, float]]) -> int:
    """Send one signal after the other, each with its seconds to obey."""
    for name, seconds in steps:
        server.send_signal(signal.Signals[name])
        try:
            return server.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"tether: still running {seconds:g} s after {name}", file=sys.stderr, flush=True)  # noqa: T201
    server.kill()
    return server.wait()


def main() -> int:
    """Hold the server until the owner lets go or the server ends; its exit code is ours."""
    plan = json.loads(sys.argv[1])
    owner = os.getppid()
    # Ctrl-C and a terminal's end are the owner's business: it stops its servers in its order.
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        server = start(plan)
    except OSError as error:
        print(f"failed {error}", flush=True)  # noqa: T201
        return 127
    print(f"started {server.pid}", flush=True)  # noqa: T201
    while server.poll() is None:
        ready, _, _ = select.select([0, woken], [], [], OWNER_CHECK_S)
        if woken in ready:
            os.read(woken, 64)
        if (0 in ready and not os.read(0, 64)) or os.getppid() != owner:
            return stop(server, plan["stop"])
    return server.returncode


if __name__ == "__main__":
    code = main()
    # As a shell does: a server ended by a signal is 128 + the signal.
    sys.exit(code if code >= 0 else 128 - code)
