/**
 * The sixteen targets, and the figures that were held against them: each benchmark files its own beside its tables, and
 * `npm run bench` prints what was filed last.
 *
 * A figure counts only beside a floor of the same run.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';

/** What each target asks for, and where it is measured. */
export const TARGETS: readonly { what: string; measured: string }[] = [
  { what: 'save by copy: what it holds the loop for', measured: 'stall' },
  { what: '80 KB saved every 100th step of a solver', measured: 'commit' },
  { what: 'saving with dirty pages from the kernel', measured: 'track' },
  { what: 'saving by lending', measured: 'lend' },
  { what: '256 MiB, little changed', measured: 'incremental' },
  { what: '256 MiB, everything changed', measured: 'incremental' },
  { what: 'the loop beside a save', measured: 'stall' },
  { what: 'restoring, all of it verified', measured: 'restore' },
  { what: 'restoring into a state that hardly differs', measured: 'restore' },
  { what: 'scattered small changes', measured: 'scattered' },
  { what: 'bytes that shift', measured: 'shifting' },
  { what: '50 snapshots of physics beside other stores', measured: 'peers: space' },
  { what: 'growth', measured: 'commit, scale, gc' },
  { what: 'memory beyond an idle Snap and the slots', measured: 'commit, gc' },
  { what: 'object graphs', measured: 'graphs' },
  { what: 'an incremental save beside other programs', measured: 'peers: incremental' },
];

/** One figure that was held against a target. Figures and floors as they are shown. */
export interface Held {
  /** 1 to 16. */
  target: number;
  /** Of which case. */
  of: string;
  floor: string;
  figure: string;
  ratio: string;
  limit: string;
  met: boolean;
}

interface Filed {
  bench: string;
  at: string;
  machine?: { cpu: string; cores: number; node: string };
  targets?: Held[];
}

const HEAD = ['', 'target', 'of', 'floor', 'figure', 'ratio', 'limit', 'met'];

/** Prints a table of every target from the files of figures in some folders, for a terminal or as Markdown. */
export function printTargets(folders: readonly string[], markdown: boolean): void {
  const filed = folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Filed),
  );
  const held = filed.flatMap(({ targets = [] }) => targets);
  const rows = rowsOf(held);
  if (markdown) {
    for (const row of [HEAD, HEAD.map(() => '---'), ...rows]) console.log(`| ${row.join(' | ')} |`);
  } else {
    const table = new Table({ head: HEAD, style: { head: [], border: [], compact: true } });
    table.push(...rows);
    console.log(`\nThe targets, by the figures that were filed last\n${table.toString()}`);
  }
  const missed = new Set(held.filter(({ met }) => !met).map(({ target }) => target));
  const measured = new Set(held.map(({ target }) => target));
  console.log(
    `\n${measured.size} of ${TARGETS.length} measured, ${measured.size - missed.size} of them met in every case`,
  );
  for (const { bench, at, targets = [] } of filed) {
    if (targets.length > 0) console.log(`${bench}: ${at}`);
  }
}

function rowsOf(held: readonly Held[]): string[][] {
  return TARGETS.flatMap(({ what, measured }, index) => {
    const number = index + 1;
    const figures = held.filter(({ target }) => target === number);
    if (figures.length === 0)
      return [[`${number}`, what, '', '', `not measured here: ${measured}`, '', '', '']];
    return figures.map(({ of, floor, figure, ratio, limit, met }, line) => {
      const head = line === 0 ? [`${number}`, what] : ['', ''];
      return [...head, of, floor, figure, ratio, limit, met ? 'yes' : 'NO'];
    });
  });
}
