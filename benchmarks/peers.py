"""The Python peers: answers the same questions as agent.mjs. See requests.ts."""

import json
import os
import sys
import time

contenders = {}


def now_us():
    return time.monotonic_ns() / 1000


def open_candidate(candidate, directory, **_):
    path = f"{directory}/lock"
    if candidate == "flufl.lock":
        from flufl.lock import Lock

        lock = Lock(path, lifetime=3600)
        contenders[candidate] = (lock.lock, lock.unlock)
    else:
        from filelock import FileLock

        lock = FileLock(path)
        contenders[candidate] = (lock.acquire, lock.release)


def block(candidate, forMs, most, **_):
    acquire, release = contenders[candidate]
    samples = []
    end = time.perf_counter() + forMs / 1000
    while not samples or (len(samples) < most and time.perf_counter() < end):
        before = time.perf_counter_ns()
        acquire()
        release()
        samples.append((time.perf_counter_ns() - before) / 1000)
    return samples


def contend(candidate, fromUs, toUs, holdMs, pauseMs):
    acquire, release = contenders[candidate]
    turns = []
    time.sleep(max(0, (fromUs - now_us()) / 1e6))
    while now_us() < toUs:
        acquire()
        acquired = now_us()
        if holdMs > 0:
            time.sleep(holdMs / 1000)
        turns.append((acquired, now_us()))
        release()
        if pauseMs > 0:
            time.sleep(pauseMs / 1000)
    return turns


def wait(candidate):
    acquire, release = contenders[candidate]
    acquire()
    release()


def keep(candidate, forMs):
    acquire, release = contenders[candidate]
    acquire()
    time.sleep(forMs / 1000)
    release()


def mark(path):
    os.access(path, os.F_OK)


def close(candidate):
    contenders.pop(candidate, None)


ANSWERS = {"open": open_candidate, "block": block, "contend": contend, "wait": wait, "keep": keep, "close": close, "mark": mark}

for line in sys.stdin:
    request = json.loads(line)
    try:
        reply = {"value": ANSWERS[request.pop("ask")](**request)}
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
