/** What every benchmark has in common: options, a scratch folder, a report as a table and as JSON. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { KiB, MiB } from '../../src/base/sizes.js';
import { scratchFolder } from './disk.js';
import { describeMachine } from './machine.js';
import type { Held } from './targets.js';

export interface Context {
  /** An empty folder on the disk to be measured; removed at the end. */
  folder: string;
  /** Samples to take for each figure, instead of what the benchmark takes. */
  samples: number | undefined;
  /** Only these sizes of the state, in bytes; undefined: all. */
  sizes: number[] | undefined;
  report: Report;
}

export interface Column {
  name: string;
  /** How a value is shown; the JSON keeps the number. */
  show?: (value: number) => string;
}

type Row = Record<string, string | number | undefined>;

export class Report {
  readonly #sections: { title: string; notes: string[]; rows: Row[] }[] = [];
  /** What is held against the targets. */
  readonly targets: Held[] = [];

  /** Prints a table and keeps its rows. Columns that no row has are left out. */
  section(title: string, columns: readonly Column[], rows: readonly Row[], ...notes: string[]): void {
    const used = columns.filter(({ name }) => rows.some((row) => row[name] !== undefined));
    const table = new Table({
      head: used.map(({ name }) => name),
      style: { head: [], border: [] },
      wordWrap: true,
    });
    for (const row of rows) {
      table.push(
        used.map(({ name, show = (value) => String(value) }) => {
          const value = row[name];
          return typeof value === 'number' ? show(value) : (value ?? '');
        }),
      );
    }
    console.log(`\n${title}\n${table.toString()}`);
    for (const note of notes) console.log(note);
    this.#sections.push({ title, notes, rows: [...rows] });
  }

  /** Files a figure beside the target it is held against. */
  hold(target: number, held: Omit<Held, 'target'>): void {
    this.targets.push({ target, ...held });
  }

  toJSON(): unknown {
    return this.#sections;
  }
}

/** Runs one benchmark as a program. */
export async function runBench(
  name: string,
  about: string,
  run: (context: Context) => Promise<void>,
): Promise<void> {
  const options = new Command(`npm run bench -- ${name}`)
    .description(about)
    .option('--folder <path>', 'where to put the scratch folder (a real disk among the temp folders)')
    .option('--json <path>', `where to write the figures (build/bench/${name}.json)`)
    .option('--samples <number>', 'samples for each figure', count)
    .option('--sizes <list>', 'sizes of the state, as in 80k,16m,1024m', sizes)
    .allowExcessArguments(false)
    .parse()
    .opts<{ folder?: string; json?: string; samples?: number; sizes?: number[] }>();
  const folder = options.folder
    ? join(resolve(options.folder), `holdfast-bench-${process.pid}`)
    : scratchFolder('holdfast-bench-');
  mkdirSync(folder, { recursive: true });
  const onSignal = (): never => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(130);
  };
  process.on('SIGINT', onSignal);
  try {
    const machine = describeMachine(folder);
    const report = new Report();
    console.log(`\n${name}: ${about}`);
    console.log(
      `${machine.cores} cores of ${machine.cpu}, ${machine.memory}, ${machine.system}, Node ${machine.node}, zstd by ${machine.compressor}`,
    );
    console.log(`disk: ${machine.disk}`);
    await run({ folder, samples: options.samples, sizes: options.sizes, report });
    const path = options.json ?? `build/bench/${name}.json`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      `${JSON.stringify({ bench: name, at: new Date(), machine, sections: report, targets: report.targets }, null, 2)}\n`,
    );
    console.log(`\nfigures in ${path}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    process.off('SIGINT', onSignal);
  }
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('it takes a whole number above 0.');
}

function sizes(text: string): number[] {
  return text.split(',').map((part) => {
    const match = /^(\d+)([km])$/.exec(part.trim());
    if (!match) throw new InvalidArgumentError('it takes sizes as in 80k,16m.');
    return Number(match[1]) * (match[2] === 'k' ? KiB : MiB);
  });
}

/** Waits without computing. */
export function sleep(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/** Microseconds below one millisecond, milliseconds from there. */
export function showMillis(value: number): string {
  if (Number.isNaN(value)) return '-';
  if (value < 1) return `${(1000 * value).toFixed(1)} us`;
  return `${value.toFixed(value < 100 ? 2 : 0)} ms`;
}

export function showRate(bytesPerMilli: number): string {
  return `${((1000 * bytesPerMilli) / 1e9).toFixed(2)} GB/s`;
}

export function showRatio(value: number): string {
  return Number.isNaN(value) ? '-' : `${value.toFixed(2)} x`;
}

export function showPercent(share: number): string {
  return Number.isNaN(share) ? '-' : `${(100 * share).toFixed(1)} %`;
}
