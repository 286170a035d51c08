'use strict';

const { TurnkeepError, native } = require('./error.js');
const { HEARTBEAT_MS, OF_CONNECTION, merge } = require('./head.js');
const binding = require('./native.js');
const { BATCH } = require('./stream.js');

const PING = new TextEncoder().encode(': ping\n\n');

function headersOf(own) {
  const headers = new Headers();
  for (const [name, value] of new Map([...binding.sseHeaders(), ...own])) {
    if (OF_CONNECTION.includes(name)) continue;
    for (const one of [value].flat()) headers.append(name, one);
  }
  return headers;
}

/**
 * What a native reader gives as a `Response` of the web: bytes as they are asked for, heartbeats in silence. `over` is
 * called at the end, however it comes. A client that leaves cancels the body.
 */
function respond(reader, { status = 200, headers, heartbeatMs = HEARTBEAT_MS } = {}, over = () => {}) {
  if (!(heartbeatMs > 0)) throw TurnkeepError.invalid('heartbeatMs', 'must be a positive number of milliseconds');
  const head = headersOf(merge(new Map(), headers));
  const end = () => {
    reader.close();
    over();
  };
  const body = new ReadableStream(
    {
      async pull(controller) {
        // Whoever reads slowly has the last one before it yet.
        const ping = () => controller.desiredSize >= 0 && controller.enqueue(PING);
        const heartbeat = setInterval(ping, Math.min(heartbeatMs, 2 ** 31 - 1));
        heartbeat.unref?.();
        try {
          const bytes = await native(reader.nextSse(BATCH));
          if (bytes !== null) return controller.enqueue(bytes);
          controller.close();
          end();
        } catch (error) {
          end();
          // After a cancellation there is nobody to tell.
          if (controller.desiredSize !== null) throw error;
        } finally {
          clearInterval(heartbeat);
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status, headers: head });
}

module.exports = { respond };
