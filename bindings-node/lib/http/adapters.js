'use strict';

// Requests of Node and of frameworks as requests of the web, and the way back.

const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const { OF_CONNECTION } = require('../head.js');

/** A body that a framework has read already. */
function readBody(body) {
  if (typeof body === 'string' || ArrayBuffer.isView(body)) return body;
  return JSON.stringify(body);
}

/** Whether a framework has put a body into its request. */
function isRead(request) {
  const { body } = request;
  if (body === undefined || body === null) return false;
  // What body parsers leave where there was none for them.
  return (request.raw ?? request).readableEnded === true || typeof body !== 'object' || Object.keys(body).length > 0;
}

/** An `IncomingMessage` of HTTP/1.1 or HTTP/2 as a request of the web. `body` is one that was read before. */
function webRequest(incoming, body) {
  const { method } = incoming;
  const headers = new Headers();
  const raw = incoming.rawHeaders;
  for (let place = 0; place < raw.length; place += 2) {
    if (!raw[place].startsWith(':') && !OF_CONNECTION.includes(raw[place].toLowerCase()))
      headers.append(raw[place], raw[place + 1]);
  }
  // A framework that mounts handlers below a path cuts that off.
  const url = new URL(incoming.originalUrl ?? incoming.url, 'http://localhost');
  if (['GET', 'HEAD', 'DELETE'].includes(method)) return new Request(url, { method, headers });
  if (body !== undefined) {
    headers.delete('content-length');
    return new Request(url, { method, headers, body });
  }
  return new Request(url, { method, headers, body: Readable.toWeb(incoming), duplex: 'half' });
}

/** Sends a response of the web by Node's. */
async function sendWeb(response, target) {
  const ofHttp2 = typeof target.stream?.respond === 'function';
  for (const [name, value] of response.headers) {
    if (name === 'set-cookie' || (ofHttp2 && OF_CONNECTION.includes(name))) continue;
    target.setHeader(name, value);
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) target.setHeader('set-cookie', cookies);
  target.statusCode = response.status;
  if (!response.body) return void target.end();
  // A client that leaves ends the body; there is nobody to be told.
  await pipeline(Readable.fromWeb(response.body), target).catch(() => {});
}

/** A handler for `http`, `http2`, Express and whatever calls handlers alike: without `next`, what is not ours is not found. */
function nodeHandler(router) {
  return (request, response, next) => {
    const url = new URL(request.originalUrl ?? request.url, 'http://localhost');
    const pass = () => {
      if (typeof next === 'function') return next();
      response.statusCode = 404;
      response.end();
    };
    if (!router.covers(url.pathname)) return void pass();
    const asked = webRequest(request, isRead(request) ? readBody(request.body) : undefined);
    router
      .pipe(asked, request, response, (answer) => sendWeb(answer, response))
      .then((found) => found || pass())
      .catch((error) => (typeof next === 'function' ? next(error) : response.destroy(error)));
  };
}

/** How a Fastify reply sends a response of the web. */
const sendReply = (reply) => async (answer) => {
  reply.code(answer.status);
  for (const [name, value] of answer.headers) reply.header(name, value);
  await reply.send(answer.body ? Readable.fromWeb(answer.body) : undefined);
};

/** A plugin for Fastify. Bodies are read by the router, for its routes alone. */
function fastifyPlugin(router, basePath) {
  return async (fastify) => {
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser('*', (_request, _payload, done) => done(null));
    const handler = async (request, reply) => {
      if (!(await router.pipe(webRequest(request.raw), request, reply, sendReply(reply)))) reply.callNotFound();
      return reply;
    };
    const method = ['GET', 'POST', 'PATCH', 'DELETE'];
    for (const url of [basePath, `${basePath.replace(/\/$/, '')}/*`]) fastify.route({ method, url, handler });
  };
}

/** Answers what a framework has of a request, be it Express's or Fastify's; false where no route has its path. */
function serve(router, request, response) {
  const incoming = request.raw ?? request;
  const asked = webRequest(incoming, isRead(request) ? readBody(request.body) : undefined);
  const send = response.raw ? sendReply(response) : (answer) => sendWeb(answer, response);
  return router.pipe(asked, request, response, send);
}

module.exports = { fastifyPlugin, nodeHandler, serve };
