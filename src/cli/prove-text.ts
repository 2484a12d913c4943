/** A resume proof, for people and as JSON. */

import type { Divergence, Proof, ProofStep } from '../index.js';
import { differenceJson, differences } from './diff-text.js';
import { snapshotJson } from './json.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';
import { count, printable, shortIds } from './words.js';

const COLUMNS: readonly Column[] = [
  { title: 'step', align: 'right' },
  { title: 'snapshot', drop: 1 },
  { title: 'state' },
];

export function describeProof(proof: Proof, style: Style): string {
  const { compared, divergence } = proof;
  const parts = [headline(proof), table(COLUMNS, stepRows(compared), style)];
  if (divergence) parts.push(...differences(divergence.diff, style, ['went on', 'again']));
  return parts.join('\n\n');
}

function headline({ divergence, restartedAt, against, compared }: Proof): string {
  const again = `begun again at step ${restartedAt}, the program`;
  if (divergence) {
    const other = against === 'run' ? 'in the run that went on' : 'where the program went on';
    return `diverged at step ${divergence.step}: ${firstDifference(divergence, other)}`;
  }
  const kind = compared.some(({ tolerated }) => tolerated > 0)
    ? 'the same within the tolerance'
    : 'identical';
  const other = against === 'run' ? 'the run computed' : 'it computes when it runs on';
  return `${kind}: ${again} computes what ${other}`;
}

/** `u[512] is 1.25, and 1.5 in the run that went on`. */
export function firstDifference({ path, index, a, b }: Divergence, other: string): string {
  const place = `${path === '' ? '(state)' : path}${index === undefined ? '' : `[${index}]`}`;
  return printable(`${place} is ${b ?? 'missing'}, and ${a ?? 'missing'} ${other}`);
}

function stepRows(compared: readonly ProofStep[]): string[][] {
  const ids = shortIds(compared.flatMap(({ snapshot }) => snapshot ?? []));
  return compared.map(({ step, snapshot, same, tolerated, presumed }) => [
    String(step),
    snapshot === undefined ? '-' : (ids.get(snapshot) ?? snapshot),
    [
      same ? 'same' : 'differs',
      ...(tolerated > 0 ? [`${count(tolerated, 'number')} within the tolerance`] : []),
      ...(presumed ? ['presumed to be of the same line'] : []),
    ].join(', '),
  ]);
}

/** `u[512] is 1.25, and 1.5 in the run; 3 elements of 2 regions differ`. */
export function differenceInShort(divergence: Divergence): string {
  const { regions, values, moreValues } = divergence.diff;
  const elements = regions.reduce((sum, { content }) => sum + (content?.changed ?? 0), 0);
  const parts = [
    ...(elements > 1 ? [`${elements} elements of ${count(regions.length, 'region')}`] : []),
    ...(values.length + moreValues > 1 ? [count(values.length + moreValues, 'value')] : []),
  ];
  const all = parts.length > 0 ? `; ${parts.join(' and ')} differ` : '';
  return `${firstDifference(divergence, 'in the run')}${all}`;
}

/** What helps to understand a difference. */
export function remarksOn({ divergence, from, program }: Proof): string[] {
  if (!divergence) return [];
  const remarks: string[] = [];
  const [was, is] = [from.program, program];
  if (was.name !== is.name || was.version !== is.version) {
    remarks.push(
      `the snapshot is of ${printable(`${was.name} ${was.version}`)}, and this is ${printable(`${is.name} ${is.version}`)}`,
    );
  }
  if (was.node !== is.node) remarks.push(`the snapshot is of Node ${was.node}, and this is Node ${is.node}`);
  return [
    ...remarks,
    'what differs was computed from something that no snapshot holds: a variable outside of the state, Math.random,',
    'the time, a file, an order of events; docs/prove.md says how to find it',
  ];
}

/** With every key there is, in one order. */
export function proofJson({
  same,
  against,
  from,
  restartedAt,
  program,
  compared,
  divergence,
  seconds,
}: Proof) {
  return {
    same,
    against,
    from: snapshotJson(from),
    restartedAt,
    program,
    compared: compared.map(({ step, snapshot, ...rest }) => ({ step, snapshot: snapshot ?? null, ...rest })),
    divergence: divergence ? divergenceJson(divergence) : null,
    seconds,
  };
}

export function divergenceJson({ step, path, index, a, b, diff }: Divergence) {
  return { step, path, index: index ?? null, a: a ?? null, b: b ?? null, diff: differenceJson(diff) };
}
