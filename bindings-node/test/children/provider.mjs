// A provider in a process of its own, so that its work is nobody else's: DELTAS pieces of text, PACE_MS between two of them.

import { finish, startProvider, text } from '../../../examples/demo/provider.mjs';

const { DELTAS = '40', PACE_MS = '2' } = process.env;
const events = [
  ...Array.from({ length: Number(DELTAS) }, (_, place) => text(`word${place} `)),
  ...finish('stop', 1, 1),
];
const { baseUrl } = await startProvider(() => events, { paceMs: Number(PACE_MS) });
process.send({ baseUrl });
process.on('disconnect', () => process.exit());
