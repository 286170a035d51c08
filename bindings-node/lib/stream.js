'use strict';

/** Chunks that cross the border at once: a crossing costs more than a chunk. */
const BATCH = 64;

/**
 * An async iterator over batches, an empty one of which is the last; leaving it early leaves what is read at once.
 * `close` is called then, and at the end.
 */
function iterate(nextItems, close) {
  let items = [];
  let place = 0;
  let over = false;
  let queue = Promise.resolve();
  const end = (value) => {
    over = true;
    items = [];
    close();
    return { value, done: true };
  };
  const step = async () => {
    if (!over && place >= items.length) {
      items = await nextItems();
      place = 0;
      if (items.length === 0) return end(undefined);
    }
    return over ? { value: undefined, done: true } : { value: items[place++], done: false };
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      // One after the other, also for a caller that does not wait.
      const result = queue.then(step);
      queue = result.catch(() => {});
      return result;
    },
    async return(value) {
      return end(value);
    },
  };
}

module.exports = { BATCH, iterate };
