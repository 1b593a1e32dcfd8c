"""Clusters of real processes on this machine, whose workers can be frozen and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import distributed


def local_cluster(workers, threads=1):
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=threads, processes=True, dashboard_address=":0"
    )


def processing(cluster):
    """Return the keys of the tasks assigned to each worker, by the worker's address."""
    return {
        worker: {task.key for task in state.processing} for worker, state in cluster.scheduler.workers.items()
    }


@contextlib.contextmanager
def frozen(cluster, begun):
    """Stop every worker as soon as `begun()` is true; give their process numbers by address."""
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(len(cluster.worker_spec), timeout=60)  # one may still be restarting
        pids = client.run(os.getpid)
    end = time.monotonic() + 60
    while not begun():
        assert time.monotonic() < end, "nothing was done"
        time.sleep(0.002)
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def kill_one(cluster, begun, killed):
    """Kill a worker that has a task; append its address to `killed`."""
    with frozen(cluster, begun) as pids:
        address = next(address for address, keys in processing(cluster).items() if keys and address in pids)
        killed.append(address)
        os.kill(pids[address], signal.SIGKILL)


@contextlib.contextmanager
def meanwhile(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    try:
        yield
    finally:
        thread.join()
