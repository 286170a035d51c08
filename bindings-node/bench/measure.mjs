// Medians of contenders that take turns, so that what else the machine does falls on all of them.

const SHORTEST_SAMPLE_NS = 200_000;

const now = () => Number(process.hrtime.bigint());

function sample(work, times) {
  const begun = now();
  for (let i = 0; i < times; i++) work();
  return (now() - begun) / times;
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** The median time of each of the `works`, in microseconds. */
export function race(works, { millis = 250, samples = 9 } = {}) {
  // Warm, and how often each has to run to be measurable.
  const times = works.map((work) => {
    const begun = now();
    let runs = 0;
    while (now() - begun < (millis * 1e6) / 4 || runs < 3) {
      work();
      runs++;
    }
    return Math.max(1, Math.ceil(SHORTEST_SAMPLE_NS / ((now() - begun) / runs)));
  });
  const results = works.map(() => []);
  const begun = now();
  while (results[0].length < samples || now() - begun < millis * 1e6 * works.length) {
    works.forEach((work, index) => results[index].push(sample(work, times[index])));
  }
  return results.map((result) => median(result) / 1000);
}

export function table(head, rows) {
  const lines = [head, head.map(() => '---'), ...rows];
  console.log(lines.map((line) => `| ${line.join(' | ')} |`).join('\n') + '\n');
}

export const micros = (value) =>
  (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en').replaceAll(',', ' ')) + ' µs';
