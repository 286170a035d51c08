// How often a person may ask, in memory. Hosts of several processes have `@nestjs/throttler` with a store, or the engine's own
// `limits`, which are counted in its store.

import { HttpException, Injectable } from '@nestjs/common';

const MINUTE_MS = 60_000;

@Injectable()
export class Throttle {
  private readonly asked = new Map<string, number[]>();

  /** Refuses what would be more than `limit` in a minute. */
  take(what: string, userId: string, limit: number): void {
    const key = `${what} ${userId}`;
    const now = Date.now();
    const recent = (this.asked.get(key) ?? []).filter((at) => now - at < MINUTE_MS);
    if (recent.length >= limit) throw new HttpException('Too many requests, please wait a moment', 429);
    this.asked.set(key, [...recent, now]);
  }
}
