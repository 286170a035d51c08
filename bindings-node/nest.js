'use strict';

// turnkeep in Nest: a module with the engine, a filter for its errors, and a controller with the endpoints of a chat.

const { All, Catch, HttpException, Inject, Module, NotFoundException, Req, Res } = require('@nestjs/common');
const { APP_FILTER, HttpAdapterHost } = require('@nestjs/core');

const { Engine, TurnkeepError } = require('./index.js');
const { serve } = require('./lib/http/adapters.js');
const { failureBody } = require('./lib/http/failure.js');
const { Router } = require('./lib/http/router.js');

const OPTIONS = Symbol('turnkeep options');

/** Decorates without the syntax for it. */
function decorate(target, decorators, name) {
  const descriptor = name === undefined ? undefined : Object.getOwnPropertyDescriptor(target, name);
  for (const decorator of decorators) decorator(target, name, descriptor);
}

/** A TurnkeepError as the exception that Nest answers with. */
function toHttpException(error) {
  const { code, kind, message, statusCode, details } = failureBody(error).error;
  return new HttpException({ statusCode, message, error: code, kind, details }, statusCode, { cause: error });
}

/** Answers errors of turnkeep's with their status, and bodies as Nest's own. */
class TurnkeepExceptionFilter {
  #host;

  constructor(host) {
    this.#host = host;
  }

  catch(error, host) {
    const exception = toHttpException(error);
    const { httpAdapter } = this.#host;
    const response = host.switchToHttp().getResponse();
    if (httpAdapter.isHeadersSent(response)) return;
    httpAdapter.reply(response, exception.getResponse(), exception.getStatus());
  }
}
Catch(TurnkeepError)(TurnkeepExceptionFilter);
Inject(HttpAdapterHost)(TurnkeepExceptionFilter, undefined, 0);

const RECORDINGS = /^(audio|video)\//;

/** Closes the engine before Nest closes its server: answers in progress are handed over. */
class Lifecycle {
  #engine;
  #options;
  #host;

  constructor(engine, options, host) {
    this.#engine = engine;
    this.#options = options;
    this.#host = host;
  }

  /** Fastify refuses bodies of types that nobody reads; recordings are read by the controller. */
  onModuleInit() {
    const { httpAdapter } = this.#host;
    if (httpAdapter?.getType() !== 'fastify') return;
    const fastify = httpAdapter.getInstance();
    if (fastify.hasContentTypeParser(RECORDINGS)) return;
    fastify.addContentTypeParser(RECORDINGS, (_request, _payload, done) => done(null));
  }

  async onModuleDestroy() {
    const { graceMs } = this.#options;
    await this.#engine.close(graceMs === undefined ? {} : { graceMs });
  }
}
Inject(Engine)(Lifecycle, undefined, 0);
Inject(OPTIONS)(Lifecycle, undefined, 1);
Inject(HttpAdapterHost)(Lifecycle, undefined, 2);

class TurnkeepModule {
  /** The module with an engine that is opened with these options; `graceMs` is for closing it. */
  static forRoot(options) {
    return TurnkeepModule.forRootAsync({ useFactory: () => options });
  }

  static forRootAsync({ imports = [], inject = [], useFactory, isGlobal = true }) {
    return {
      module: TurnkeepModule,
      global: isGlobal,
      imports,
      providers: [
        { provide: OPTIONS, inject, useFactory },
        { provide: Engine, inject: [OPTIONS], useFactory: ({ graceMs: _, ...options }) => Engine.open(options) },
        { provide: APP_FILTER, useClass: TurnkeepExceptionFilter },
        Lifecycle,
      ],
      exports: [Engine],
    };
  }
}
Module({})(TurnkeepModule);

/** The path of a request up to that of its controller. */
function baseOf(url, path) {
  const { pathname } = new URL(url, 'http://localhost');
  const own = path.replace(/^\/|\/$/g, '');
  if (own === '') return '/';
  const found = new RegExp(`^(.*?/${own.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')})(?=/|$)`).exec(pathname);
  return found?.[1] ?? `/${own}`;
}

/** The endpoints of a chat as a controller: extend it, say who asks, and give it a path. */
class TurnkeepController {
  #routers = new Map();

  #router(request) {
    const path = [Reflect.getMetadata('path', this.constructor)].flat()[0] ?? '';
    const basePath = baseOf(request.originalUrl ?? request.url, path);
    let router = this.#routers.get(basePath);
    if (!router) {
      const { engine } = this;
      router = new Router({
        ...this.options?.(),
        engine,
        basePath,
        who: (_, native) => this.who(native),
        turn: (asked) => this.turn?.(asked),
      });
      this.#routers.set(basePath, router);
    }
    return router;
  }

  async handle(request, response) {
    if (await serve(this.#router(request), request, response)) return;
    throw new NotFoundException();
  }
}
// Wildcards are written differently for each server below Nest, and in each of its versions.
const PATHS = ['', ':a', ':a/:b', ':a/:b/:c', ':a/:b/:c/:d', ':a/:b/:c/:d/:e'];
decorate(TurnkeepController.prototype, [All(PATHS)], 'handle');
Req()(TurnkeepController.prototype, 'handle', 0);
Res()(TurnkeepController.prototype, 'handle', 1);
Inject(Engine)(TurnkeepController.prototype, 'engine');

module.exports = { TurnkeepController, TurnkeepExceptionFilter, TurnkeepModule, toHttpException };
