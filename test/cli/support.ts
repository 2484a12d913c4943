/** What the tests of the command share: stores made by the library, and the compiled command as a child. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Snap } from '../../src/index.js';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** A folder that goes away after the test. */
export function scratch(t: { after(clean: () => void): void }): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-cli-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
}

/** Runs `snap` to its end, in an environment that says nothing about stores, colours or widths. */
export function snap(args: readonly string[], options: RunOptions = {}): Ended {
  return command(process.execPath, [MAIN, ...args], options);
}

/** Runs a shell script in which `snap` is the command. */
export function shell(script: string, options: RunOptions = {}): Ended {
  const define = `snap() { '${process.execPath}' '${MAIN}' "$@"; }`;
  return command('bash', ['-c', `${define}\n${script}`], options);
}

function command(file: string, args: readonly string[], { cwd, env }: RunOptions): Ended {
  const { status, signal, stdout, stderr, error } = spawnSync(file, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw error;
  return { status, signal, stdout, stderr };
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of [
    'SNAP_STORE',
    'SNAP_DEBUG',
    'NO_COLOR',
    'COLUMNS',
    'FORCE_COLOR',
    'NODE_OPTIONS',
    'TERM',
  ]) {
    delete env[name];
  }
  return env;
}

/** The one JSON document on stdout. */
export function document<T = Record<string, unknown>>({ stdout }: Ended): T {
  return JSON.parse(stdout) as T;
}

/** The rows of a table, its title first, each as its words. */
export function rows({ stdout }: Ended): string[][] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}

export interface Made {
  directory: string;
  /** Ids by `run/step`. */
  ids: Record<string, string>;
}

/**
 * Two runs: `heat` with steps 0, 100, 200 and 300 (tag `best` on 200, with meta), then `fine` with steps 0 and 100.
 */
export async function makeStore(directory: string): Promise<Made> {
  const ids: Record<string, string> = {};
  const program = { name: 'solver', version: '1.2.3' };
  const state = { step: 0, u: new Float64Array(40_000), mask: new Uint8Array(10_000) };
  for (const [run, steps] of [
    ['heat', [0, 100, 200, 300]],
    ['fine', [0, 100]],
  ] as const) {
    await using store = await Snap.open(directory, { run, program });
    for (const step of steps) {
      state.step = step;
      state.u.fill(step + 1, step * 10, step * 10 + 1000);
      const best = step === 200 && { tag: 'best', meta: { residual: 0.5 } };
      const ticket = await store.save(state, { step, ...best, durable: true });
      ids[`${run}/${step}`] = ticket.id;
    }
  }
  return { directory, ids };
}

/** The first 8 digits, as tables show an id. */
export function short(id: string | undefined): string {
  return (id ?? '').slice(0, 8);
}
