"""Serves the web application: in this process, or in several that share one port.

Workers share the store of the query log, with its quotas and budgets, and the cache where that is a
Valkey. What one process remembers alone, each remembers for itself.
"""

from __future__ import annotations

import contextlib
import gc
import logging
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from hub import logs
from hub.app import application, read_plans
from hub.config import Settings, read_settings

NOT_STARTED = 3
"""The exit code where the application did not start."""
STARTED_WITHIN = 60
"""Seconds after which a worker that does not answer is started anew."""
_log = logging.getLogger("hub.serving")


def serve(
    settings: Settings, config: Path, host: str | None, port: int | None, workers: int
) -> int:
    """Serve until told to stop; the exit code. Raises FaultyConfiguration."""
    plans = read_plans(settings)
    of_each = partial(_made_by_worker, config)
    options = uvicorn.Config(
        _ready(application(settings, plans)) if workers == 1 else of_each,
        factory=workers > 1,
        host=host or settings.server.host,
        port=settings.server.port if port is None else port,
        workers=workers,
        timeout_worker_healthcheck=STARTED_WITHIN,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application believes those it is told to, and no others
        timeout_graceful_shutdown=settings.server.drain,
    )
    server = uvicorn.Server(options)
    with contextlib.suppress(KeyboardInterrupt):
        if workers == 1:
            server.run()
            return 0 if server.started else NOT_STARTED
        if settings.server.endpoint is not None:
            _log.warning("each worker remembers for itself which proofs (DPoP) it has seen")
        if settings.cache.store == "memory":
            _log.warning("each worker keeps answers for itself: share a Valkey by `cache.store`")
        Multiprocess(options, [options.bind_socket()]).run()
    return 0


def _made_by_worker(config: Path) -> ASGIApp:
    """The application of a worker, which reads the settings for itself."""
    logs.set_up()
    settings = read_settings(config)
    return _ready(application(settings, read_plans(settings)))


def _ready(app: ASGIApp) -> ASGIApp:
    """The application, and the collector of garbage set for serving it.

    What is made by now stays, and an operation leaves few circles behind: looking for them as often
    as Python does by default takes a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    return app
