import { useEffect, useState } from 'react';

import { type UsageLine, ask, quietly } from './api.js';

const number = (value: number) => value.toLocaleString('en');

export function UsageView() {
  const [report, setReport] = useState<{ lines: UsageLine[]; total: UsageLine }>();
  useEffect(() => quietly(ask<{ lines: UsageLine[]; total: UsageLine }>('usage?by=day,model').then(setReport)), []);
  if (!report) return null;
  const most = Math.max(1, ...report.lines.map(({ inputTokens, outputTokens }) => inputTokens + outputTokens));
  const rows = [...report.lines, { ...report.total, day: 'Together', model: '' }];
  return (
    <section className="page">
      <header className="bar">
        <h1>Usage</h1>
      </header>
      <div className="scroll">
        <table className="card">
          <thead>
            <tr>
              <th>Day</th>
              <th>Model</th>
              <th>Calls</th>
              <th>In</th>
              <th>Out</th>
              <th>Cost</th>
              <th className="wide" />
            </tr>
          </thead>
          <tbody>
            {rows.map(({ day, model, calls, inputTokens, outputTokens, cost }, place) => (
              <tr key={place} className={place === report.lines.length ? 'total' : ''}>
                <td>{day}</td>
                <td>{model ?? 'not known'}</td>
                <td>{number(calls)}</td>
                <td>{number(inputTokens)}</td>
                <td>{number(outputTokens)}</td>
                <td>{cost === undefined || cost === null ? '' : cost.toFixed(4)}</td>
                <td className="wide">
                  {place < report.lines.length && <meter max={most} value={inputTokens + outputTokens} />}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
