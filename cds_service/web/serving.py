"""How `cds serve` serves: granian in front, worker processes that hold a runtime each, drained on SIGTERM."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from flask import Flask
from granian.constants import HTTPModes, Interfaces, TaskImpl
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from cds_service import logs
from cds_service.runtime import Runtime
from cds_service.settings import Settings
from cds_service.web.application import FIRST, create_first_app
from cds_service.web.gateway import Gateway
from cds_service.web.later import WholeLater
from cds_service.web.wsgi_call import Application

# Chosen by us: four times the thousand half-sent requests the service must shrug off.
CONNECTIONS_LIMIT = 4096
HEADER_DEADLINE_MS = 10_000
HEADER_LIMIT_BYTES = 64 * 1024
DRAIN_LIMIT_S = 20
# Names of glibc's <malloc.h>.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_ENDING = (signal.SIGTERM, signal.SIGINT)

# Starts what takes messages beside HTTP over the same runtime, and gives the function that ends it: it is called
# once the requests in flight are answered, before the runtime is drained.
Beside: TypeAlias = Callable[[Runtime], Callable[[], object]]


def _nothing_beside(_runtime: Runtime) -> Callable[[], object]:
    return lambda: None


def serve(settings: Settings, create_app: Callable[[Runtime], Flask], beside: Beside = _nothing_beside) -> int:
    """Serve until SIGTERM or SIGINT; the exit code of the process."""
    serve_gateway(partial(_gateway, settings, create_app, beside), settings.http_bind, workers=settings.workers)
    return 0


def serve_gateway(load: Callable[..., Any], bind: tuple[str, int], *, workers: int = 1) -> None:
    """Run granian over the gateway each worker process loads; returns when all are drained."""
    _allow_open_files()
    gc.freeze()  # a worker that looked through what its parent loaded would copy all of it
    os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_end_on_signal)
    Server(
        "cds_service",
        address=bind[0],
        port=bind[1],
        interface=Interfaces.RSGI,
        workers=workers,
        http=HTTPModes.http1,
        websockets=False,
        task_impl=TaskImpl.asyncio,  # the other one never lets go of a request's coroutine and body
        backlog=CONNECTIONS_LIMIT,
        backpressure=CONNECTIONS_LIMIT,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_DEADLINE_MS, max_buffer_size=HEADER_LIMIT_BYTES),
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_LIMIT_S,
    ).serve(target_loader=load, wrap_loader=False)


def _gateway(settings: Settings, create_app: Callable[[Runtime], Flask], beside: Beside) -> Gateway:
    logs.configure(settings.log_file)
    _keep_memory_small()

    def start() -> tuple[Application, Callable[[], None]]:
        runtime = Runtime.from_settings(settings)
        runtime.open()
        end_beside = beside(runtime)

        def load() -> Application:
            application = create_app(runtime).wsgi_app
            runtime.beside.start()
            gc.freeze()  # as `collect_rarely` does for what is there before
            return application

        def drain() -> None:
            end_beside()
            runtime.drain()

        application = WholeLater(create_first_app(runtime).wsgi_app, FIRST, load)
        runtime.watched["addresses"] = application.problem
        application.start()
        return application, drain

    return Gateway(start, max_body_bytes=settings.max_body_bytes)


def _keep_memory_small() -> None:
    """One heap for all threads, and what is larger than a megabyte straight from the system and back to it.

    glibc gives each thread that allocates a heap of its own and keeps what was large once: a worker would hold for
    good what loading the knowledge base and each thread's largest request needed (300 rankings of rare diseases over
    HTTP left 197 MB instead of 234). Other libraries have no such settings, and nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def _hold_signals() -> None:
    """No signal to end while forking: the new worker could get it before it has handlers of its own."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def _end_on_signal() -> None:
    """Until granian sets a worker's own handlers it holds its parent's, which would swallow the signal to end."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    _release_signals()


def _allow_open_files() -> None:
    """Raise the soft limit of open files to what as many connections need, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS_LIMIT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
