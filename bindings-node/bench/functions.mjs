// flushAssistant and buildSystemPrompt through the Node border, against the same in JavaScript, in one process.
// With --peer: the turns and the figures of JavaScript alone, as lines of JSON, for the benchmarks of other languages.

import assert from 'node:assert/strict';

import * as peer from './peer.mjs';
import { LAYERS, turns } from './data.mjs';
import { micros, race, table } from './measure.mjs';

const EXTRA = {
  finishReason: 'stop',
  usage: { inputTokens: 5000, outputTokens: 300, totalTokens: 5300 },
  contextTokens: 9000,
};

if (process.argv.includes('--peer')) {
  for (const { shape, size, bytes, steps } of turns()) {
    const [time] = race([() => peer.flushAssistant(steps, '', 'completed', EXTRA)]);
    console.log(JSON.stringify({ shape, size, bytes, micros: time, steps, status: 'completed', extra: EXTRA }));
  }
} else {
  const turnkeep = await import('../index.mjs');
  const rows = [];
  for (const { shape, size, bytes, steps } of turns()) {
    const ours = () => turnkeep.flushAssistant(steps, '', 'completed', EXTRA);
    const theirs = () => peer.flushAssistant(steps, '', 'completed', EXTRA);
    assert.deepStrictEqual(ours(), theirs());
    const [our, their] = race([ours, theirs]);
    rows.push([shape, size, bytes, steps.length, micros(our), micros(their), (their / our).toFixed(2)]);
  }
  table(['flushAssistant: outputs', 'size', 'bytes', 'steps', 'turnkeep', 'JavaScript', 'ratio'], rows);

  const words = promptWords(turnkeep);
  const prompts = Object.entries(LAYERS).map(([name, layers]) => {
    const ours = () => turnkeep.buildSystemPrompt(layers);
    const theirs = () => peer.buildSystemPrompt(words, layers);
    assert.equal(ours(), theirs());
    const [our, their] = race([ours, theirs]);
    return [name, ours().length, micros(our), micros(their), (their / our).toFixed(2)];
  });
  table(['buildSystemPrompt', 'units', 'turnkeep', 'JavaScript', 'ratio'], prompts);
}

/** Our own prose, which JavaScript puts around the layers in the same way. */
function promptWords(turnkeep) {
  const lines = turnkeep.buildSystemPrompt({ roleInstructions: 'R' }).split('\n');
  const place = lines.indexOf('R');
  const mcpInstructions = [{ serverName: 'S', toolPrefix: 'p', instructions: 'I' }];
  const block = turnkeep.buildSystemPrompt({ mcpInstructions });
  const [, mcpOpen, mcpIntro] = /^(<mcp_tooling note=.*>)\n(.*)\nServer "S"/m.exec(block);
  return {
    safety: lines.slice(0, place - 1).join('\n'),
    personaOpen: lines[place - 1],
    persona: '',
    mcpOpen,
    mcpIntro,
  };
}
