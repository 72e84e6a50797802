"""The HTTP transport: Granian's RSGI.

RSGI specification: https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable
from functools import partial
from typing import Any

from serving.options import Options
from serving.scoring.admission import Place
from serving.scoring.batcher import BATCH_ROWS
from serving.scoring.job import Job
from serving.scoring.model import ServedModel
from serving.security.keys import Guard, KeysError
from serving.telemetry.tracing import Tracing
from serving.traffic.carrier import LOOK_SECONDS, Carrier
from serving.transports.bodies import SOON, Bodies
from serving.transports.dispatch import Dispatcher

logger = logging.getLogger("slipway")

TICK_SECONDS = 0.5


class App(Dispatcher):
    """One worker's application."""

    def __init__(self, model: ServedModel, options: Options, guard: Guard | None, tracing: Tracing | None = None) -> None:
        super().__init__(model, options, guard, tracing)
        self._bodies = Bodies(self.pipeline.admission, options.body_bytes, options.body_seconds)
        self._grpc: Any = None

    # Granian calls these two when a worker starts and ends.

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._parent = os.getppid()
        loop.call_later(TICK_SECONDS, self._tick, loop)
        loop.call_later(SOON, self._sweep, loop)
        if self.pipeline.carrier is not None:
            loop.call_later(LOOK_SECONDS, self._look, loop, self.pipeline.carrier)
        if self._options.grpc_port:
            from serving.transports.grpc import Service  # a second's worth of memory that not everybody needs

            service = Service(self, self._guard, self._tracing)
            address, tls = f"{self._options.host}:{self._options.grpc_port}", self._options.tls
            self._grpc = loop.run_until_complete(service.start(address, tls, self._options.body_bytes))

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._grpc is not None:
            loop.run_until_complete(self._grpc.stop(self._options.grace_seconds))
        if self._tracing:
            self._tracing.close()
        if self.pipeline.carrier is not None:
            self.pipeline.carrier.close()
        self.model.close()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        def read(headers: Any, place: Place) -> Awaitable[bytes]:
            return self._bodies.read(headers, protocol, place)

        answer = await self.dispatch(scope.method, scope.path, scope.headers, read, partial(self._submit, protocol))
        protocol.response_bytes(*answer)

    def _submit(self, protocol: Any, job: Job) -> Awaitable[None]:
        """A small job is done before anybody could notice that its client went away."""
        if len(job.rows) <= BATCH_ROWS:
            return self.pipeline.submit(job)
        return self._submit_large(job, protocol)

    async def _submit_large(self, job: Job, protocol: Any) -> None:
        """Scored in slices, and given up when the client goes away."""

        async def watch() -> None:
            await protocol.client_disconnect()
            job.gone = True

        watcher = asyncio.ensure_future(watch())
        try:
            await self.pipeline.submit(job)
        finally:
            watcher.cancel()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Twice a second: keys, segments, slow clients, and whether the process that replaces dead workers is there."""
        loop.call_later(TICK_SECONDS, self._tick, loop)
        if os.getppid() != self._parent:
            logger.error("the parent process is gone, and with it whoever could stop this worker: it ends")
            os._exit(1)
        self.model.tick()
        self.model.metrics.queue.set(self.pipeline.admission.rows)
        if self.pipeline.overloads:  # one line for all of them: a flood must not become a flood of lines
            logger.warning("refused %d requests: as much work as the server takes on", self.pipeline.overloads)
            self.pipeline.overloads = 0
        if self._guard is not None:
            try:
                self._guard.tick()
            except KeysError as error:
                logger.error("the key file cannot be read, the keys from before stay: %s", error)
        self._bodies.cut()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(SOON, self._sweep, loop)
        self._bodies.sweep()

    def _look(self, loop: asyncio.AbstractEventLoop, carrier: Carrier) -> None:
        loop.call_later(LOOK_SECONDS, self._look, loop, carrier)
        carrier.tick()
