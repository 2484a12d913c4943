/** An example as a process of its own, which may be killed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Report } from './programs/reporting.js';

/** What takes longer hangs. */
const LIMIT_MS = 240_000;
const REPORTING = new URL('./programs/reporting.js', import.meta.url).href;

/** How a process ended, and what it reported before. */
export interface Life {
  stdout: string;
  killed: boolean;
  reports: Report[];
}

export interface Running extends Life {
  child: ChildProcess;
  ended: Promise<Life>;
  /** Called for each report as it comes. */
  onReport: (report: Report) => void;
}

/** A folder for a store, removed when the tests are done. */
export function scratchStore(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-examples-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'store');
}

/** Starts examples/`name`.js; `ended` rejects where it fails by itself. */
export function start(name: string, store: string, args: readonly number[]): Running {
  const path = fileURLToPath(new URL(`../../../examples/${name}.js`, import.meta.url));
  const child = spawn(process.execPath, ['--import', REPORTING, path, store, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const guard = setTimeout(() => child.kill('SIGABRT'), LIMIT_MS);
  const running: Running = {
    child,
    stdout: '',
    killed: false,
    reports: [],
    onReport: () => {},
    ended: new Promise((resolve, reject) => {
      child.on('close', (code, signal) => {
        clearTimeout(guard);
        running.killed = signal === 'SIGKILL';
        if (code === 0 || running.killed) resolve(running);
        else reject(new Error(`${name} ended with ${signal ?? code}:\n${stderr}`));
      });
    }),
  };
  child.stdout?.on('data', (data) => {
    running.stdout += data;
  });
  child.on('message', (report: Report) => {
    running.reports.push(report);
    running.onReport(report);
  });
  return running;
}

export function runToItsEnd(name: string, store: string, args: readonly number[]): Promise<Life> {
  return start(name, store, args).ended;
}
