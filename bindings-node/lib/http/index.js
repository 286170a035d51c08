'use strict';

const { fastifyPlugin, nodeHandler } = require('./adapters.js');
const { failureBody } = require('./failure.js');
const { Router } = require('./router.js');
const { socketHandler } = require('./socket.js');

const NOT_FOUND = {
  error: { code: 'NOT_FOUND', kind: 'not_found', message: 'there is no such route', statusCode: 404, details: {} },
};

/** The endpoints of a chat, for whatever server there is. */
function createRouter(options) {
  const router = new Router(options);
  const handle = (request, native) => router.handle(request, native);
  return Object.freeze({
    handle,
    fetch: async (request, native) => (await handle(request, native)) ?? Response.json(NOT_FOUND, { status: 404 }),
    node: nodeHandler(router),
    fastify: fastifyPlugin(router, options.basePath ?? '/api/chat'),
    socket: socketHandler(router),
  });
}

module.exports = { createRouter, failureBody };
