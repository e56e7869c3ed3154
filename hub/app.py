"""The composition root: the one place that names concrete parts and puts a hub together."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from authz.register import Register, read_register
from hub.budget import Budgets
from hub.cache import Answers
from hub.config import Settings
from hub.console.page import SignIn
from hub.console.page import routes as console_routes
from hub.corrections.marks import Marks
from hub.documents import Documents
from hub.gather import Gatherer
from hub.http import Endpoint
from hub.identity import Identity
from hub.manifest import Manifest, read_manifest
from hub.officials import Officials, read_officials
from hub.operation import Hub
from hub.oversight.ledger import Ledger
from hub.oversight.seal import Seal
from hub.pipeline import answer
from hub.places import Places
from hub.population.engine import Engine
from hub.population.jobs import Jobs
from hub.population.perturbation import Noise, record_secret
from hub.population.quality import FOLDER
from hub.population.release import Control
from hub.population.statistics import Statistics
from hub.population.teams import Teams
from hub.projecting.compiled import Projections
from hub.querylog.checkpoint import Checkpoints
from hub.querylog.keeper import Keeper
from hub.querylog.keys import key_faults, read_keys
from hub.querylog.quota import Quota
from hub.querylog.record import Log, Pseudonyms
from hub.querylog.routes import routes as log_routes
from hub.querylog.store import LogUnavailable, Store
from hub.reading.usage import routes as usage_routes
from hub.shelf import Memory, Valkey
from hub.starting import plainly
from hub.trusted import Trusted
from hub.visible import Visibility
from schema.build import HubSchema, build
from schema.rules.book import Book, the_book_as_read
from sources.adapter import Adapter
from sources.dci import DciAdapter
from sources.declaration import Catalogue
from sources.fault import Fault, FaultyConfiguration, nearest
from sources.file import FileAdapter
from sources.graphql import GraphqlAdapter
from sources.reading import read_catalogue
from sources.rest import RestAdapter
from sources.soap import SoapAdapter
from sources.sql import SqlAdapter
from sources.xroad import XroadAdapter

_log = logging.getLogger("hub.app")
ADAPTERS: Mapping[str, type[Adapter]] = {
    "rest": RestAdapter,
    "sql": SqlAdapter,
    "graphql": GraphqlAdapter,
    "xroad": XroadAdapter,
    "dci": DciAdapter,
    "soap": SoapAdapter,
    "file": FileAdapter,
}
"""The protocols that a declaration may name as its adapter."""


@dataclass(frozen=True)
class Plans:
    """What the configuration says, read and checked, before anything is opened."""

    catalogue: Catalogue
    schema: HubSchema
    register: Register
    manifest: Manifest
    book: Book
    adapters: Mapping[str, type[Adapter]]
    officials: Catalogue | None = None


def read_plans(settings: Settings, *, environment: bool = True) -> Plans:
    """Read and check every declaration and the register.

    Without `environment`, what only the deployed machine has (variables, keys) is not checked.
    Raises FaultyConfiguration with all faults of all files.
    """
    catalogue, faults = read_catalogue(
        settings.sources.catalogue,
        settings.sources.enabled,
        settings.roles.identity,
        settings.roles.cases,
    )
    officials = None
    if settings.roles.officials is not None:
        officials, found = read_officials(settings.sources.registers, settings.roles.officials)
        faults += found
    adapters, found = adapters_of(settings)
    faults += found
    for source in (*catalogue.sources.values(), *(officials.sources.values() if officials else ())):
        adapter = adapters.get(source.adapter)
        if adapter is None and source.adapter not in settings.sources.adapters:
            place = source.places.describe(("source", "adapter"))
            message = f"unknown adapter `{source.adapter}`"
            faults.append(Fault(source.file, place, message, nearest(source.adapter, adapters)))
        elif adapter is not None:
            found = adapter.check(source)
            faults += [
                fault
                for fault in found
                if environment or "the environment has no" not in fault.message
            ]
    book, found = the_book_as_read()
    faults += found
    schema, found = _schema(settings, catalogue) if not found else (None, [])
    faults += found
    derivations = schema.derivations if schema is not None else None
    register, found = read_register(settings.register_.folder, catalogue, derivations)
    faults += found
    manifest: Manifest = {}
    file = settings.documents.manifest
    if file is not None and (environment or file.is_file()):
        manifest, found = read_manifest(file, register.purposes)
        faults += found
    if environment:
        faults += _key_faults(settings)
    if faults or schema is None:
        raise FaultyConfiguration(faults)
    return Plans(catalogue, schema, register, manifest, book, adapters, officials)


def adapters_of(settings: Settings) -> tuple[Mapping[str, type[Adapter]], list[Fault]]:
    """The adapters by name, the operator's own among them, and the faults of those."""
    found, faults = dict(ADAPTERS), []
    for name, path in settings.sources.adapters.items():
        told = None
        module, _, member = path.partition(":")
        try:
            adapter = getattr(importlib.import_module(module), member)
        except (ImportError, AttributeError) as error:
            told = (
                f"`{path}` cannot be imported ({type(error).__name__})",
                "install it, or correct it",
            )
        else:
            lacking = [each for each in ("check", "ask", "close") if not hasattr(adapter, each)]
            if name in ADAPTERS:
                told = f"`{name}` is an adapter of the hub's own", "give it another name"
            elif lacking:
                told = f"`{path}` is no adapter: it has no `{lacking[0]}`", "see docs/adapters.md"
            else:
                found[name] = adapter
        if told is not None:
            faults.append(Fault("hub.toml", f"sources.adapters.{name}", *told))
    return found, faults


def _schema(settings: Settings, catalogue: Catalogue) -> tuple[HubSchema | None, list[Fault]]:
    """The schema, or the faults for which there is none."""
    if not {settings.roles.identity, settings.roles.cases} <= catalogue.sources.keys():
        return None, []
    try:
        return build(catalogue), []
    except FaultyConfiguration as error:
        return None, list(error.faults)


def _key_faults(settings: Settings) -> list[Fault]:
    faults = key_faults(settings.log)
    if settings.cache.key is not None and not settings.cache.key.is_file():
        there = f"there is no file `{settings.cache.key.name}`"
        made = "make it of 32 random bytes, or correct the path"
        faults.insert(0, Fault("hub.toml", "cache.key", there, made))
    for number, issuer in enumerate(settings.issuers, start=1):
        if issuer.keys is None or "://" in issuer.keys or Path(issuer.keys).is_file():
            continue
        place = f"issuers.keys{f' (issuer {number})' if len(settings.issuers) > 1 else ''}"
        got = "get it from the identity provider, or leave `keys` out"
        there = f"there is no file `{Path(issuer.keys).name}`"
        faults.append(Fault("hub.toml", place, there, got))
    return faults


@contextlib.asynccontextmanager
async def opened(settings: Settings, plans: Plans) -> AsyncIterator[tuple[Hub, Identity, Keeper]]:
    """A hub with its connections open; they are closed on leaving. Raises LogUnavailable."""
    adapters = {
        name: plans.adapters[source.adapter](source)
        for name, source in plans.catalogue.sources.items()
    }
    keys = read_keys(settings.log)
    store = Store(settings.log.store, settings.log.batch, keys.sealing)
    keeper = Keeper(store, Checkpoints(store.engine, keys.signer, keys.former))
    budgets = Budgets(store.engine)
    pseudonyms = Pseudonyms(keys.pseudonym)
    ledger = Ledger(store.engine, pseudonyms, Seal(keys.pseudonym))
    marks = Marks(ledger)
    gatherer = Gatherer(plans.catalogue, adapters, budgets, _kept(settings, marks))
    officials = _officials(plans, budgets)
    places = Places(settings.identity, pseudonyms.of)
    identity = Identity(settings.issuers, address=settings.server.endpoint, places=places)
    statistics = _counting(settings, plans, ledger, keys.pseudonym)
    try:
        await store.open()
        await keeper.open()
        await marks.open()
        yield (
            Hub(
                schema=plans.schema,
                register=plans.register,
                documents=Documents(plans.schema.graphql, settings.limits),
                projections=Projections(plans.schema),
                visibility=Visibility(plans.schema, plans.register),
                trusted=Trusted(settings.documents, plans.manifest),
                gatherer=gatherer,
                log=Log(
                    store, Quota(store.engine), pseudonyms, plans.catalogue, settings.limits.seconds
                ),
                ledger=ledger,
                marks=marks,
                officials=officials,
                audit=settings.audit,
                limits=settings.limits,
                statistics=statistics,
                reviews=settings.reviews.folder,
            ),
            identity,
            keeper,
        )
    finally:
        if statistics.jobs is not None:
            await statistics.jobs.close()
        await gatherer.close()
        await officials.close()
        await identity.close()
        await marks.close()
        await keeper.close()
        await store.close()


def _kept(settings: Settings, marks: Marks) -> Answers:
    """Where sources' answers are kept; in memory they are sealed with a key of its own."""
    cache = settings.cache
    key = cache.key.read_bytes() if cache.key is not None else os.urandom(32)
    shelf = Memory(cache.most) if cache.store == "memory" else Valkey(cache.store)
    return Answers(shelf, key, marks.withdrawn)


def _counting(settings: Settings, plans: Plans, ledger: Ledger, key: bytes) -> Statistics:
    """What questions about populations are answered with."""
    secret, chosen = record_secret(key), settings.statistics
    return Statistics(
        Engine(plans.catalogue, chosen.drawn, settings.reviews.folder / FOLDER, secret),
        Teams(ledger, chosen.questions_per_day),
        Control(chosen.minimum_cell, Noise(secret.encode())),
        Jobs(answer),
    )


def _officials(plans: Plans, budgets: Budgets) -> Officials:
    catalogue = plans.officials
    if catalogue is None:
        _log.warning("no register of officials: colleagues of an office are not known as such")
        return Officials(None, None)
    source = catalogue.sources[catalogue.identity]
    adapters = {source.name: plans.adapters[source.adapter](source)}
    return Officials(catalogue, Gatherer(catalogue, adapters, budgets))


def _sign_in(settings: Settings) -> SignIn | None:
    console = settings.console
    if console.client_id is None or console.demo is not None:
        return None
    issuer = settings.issuers[0].issuer
    return SignIn(issuer, console.client_id, console.scope, console.resource)


def application(settings: Settings, plans: Plans) -> ASGIApp:
    """The web application: GraphQL, the pages, and what operators ask."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opened(settings, plans) as (hub, identity, keeper):
            app.state.endpoint = Endpoint(hub, identity)
            app.state.store, app.state.keeper = hub.log.store, keeper
            yield

    def endpoint(request: Request) -> Endpoint:
        found: Endpoint = request.app.state.endpoint
        return found

    async def graphql(request: Request) -> Response:
        return await endpoint(request)(request)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        keeper: Keeper = request.app.state.keeper
        try:
            await keeper.check()
        except LogUnavailable as error:
            return JSONResponse({"status": "not ready", "reason": str(error)}, 503)
        return JSONResponse({"status": "ready"})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def engine(request: Request) -> AsyncEngine:
        store: Store = request.app.state.store
        return store.engine

    keys = read_keys(settings.log)
    system = keys.signer.verifier.name.partition("/")[0]
    routes: Sequence[Route] = [
        *log_routes(engine, keys.witnesses),
        *usage_routes(endpoint, system),
        Route("/graphql", graphql, methods=["GET", "POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]
    pages = console_routes(settings.console.demo, _sign_in(settings))
    app = Starlette(routes=[*routes, *pages], lifespan=lifespan)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        # Past the routes and their middleware, which take longer than the endpoint itself.
        if scope["type"] == "http" and scope["path"] == "/graphql" and scope["method"] == "POST":
            response = await app.state.endpoint(Request(scope, receive))
            await response(scope, receive, send)
        elif scope["type"] == "lifespan":
            await app(scope, receive, plainly(send))
        else:
            await app(scope, receive, send)

    proxies = list(settings.server.trusted_proxies)
    # The two have types of their own for the one protocol.
    behind: Any = ProxyHeadersMiddleware
    return behind(front, proxies) if proxies else front
