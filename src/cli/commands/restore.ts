/** `snap restore`: a snapshot as files that other programs read. A program itself restores with the library. */

import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { formatBytes } from '../../base/sizes.js';
import type { SnapshotInfo } from '../../index.js';
import { parseFolder, parsePaths, parseRef, RUN_OF_REF } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import type { ArrayFile } from '../export/export.js';
import { ARCHIVE, DOCUMENT, FORMATS, type Format } from '../export/formats.js';
import { epilogue, READING } from '../help.js';
import { snapshotJson } from '../json.js';
import { reading } from '../open-store.js';
import { Progress } from '../progress.js';
import { REF_HELP, resolveRef } from '../refs.js';
import type { Style } from '../style.js';
import { table } from '../table.js';
import { count, printable, shortId } from '../words.js';

interface Options {
  to: string;
  format: Format;
  only?: string[];
  run?: string;
  force?: boolean;
}

const PHASES = { arrays: { title: 'arrays', unit: 'bytes' } };
const EXAMPLES = [
  'snap restore latest --to out',
  'snap restore best --to out --format npz',
  'snap restore step:300 --run heat --to out --only u \'probes.get("centre")\'',
  'python3 -c "import numpy; print(numpy.load(\'out/u.npy\').mean())"',
];

export function addRestore(program: Command, perform: Perform): void {
  program
    .command('restore')
    .description(
      'Writes a snapshot as files: its large arrays as .npy, everything else as state.json, which refers to them. ' +
        'No class of the program is needed.',
    )
    .summary('write a snapshot as .npy and JSON files')
    .argument('<REF>', REF_HELP, parseRef)
    .requiredOption('--to <DIR>', 'the folder to make', parseFolder)
    .addOption(
      new Option('--format <FORMAT>', 'npy: a file each; npz: all arrays in one; raw: bare bytes')
        .choices(FORMATS)
        .default('npy'),
    )
    .option('--only <PATH...>', 'only these regions or parts of the state', parsePaths)
    .option(...RUN_OF_REF)
    .option('--force', 'replace an earlier export in DIR')
    .addHelpText('after', epilogue(EXAMPLES, READING))
    .action((ref: string, options: Options) => perform((context) => restore(context, ref, options)));
}

async function restore(context: Context, ref: string, options: Options): Promise<ExitStatus> {
  const { output, json, signal } = context;
  const { format, only, run, force = false } = options;
  // Loaded late, as the library is.
  const { openParts } = await import('../../api/parts.js');
  const { exportParts } = await import('../export/export.js');
  const to = resolve(context.currentFolder(), options.to);
  return reading(context, async (snap) => {
    const info = await resolveRef(snap, ref, run);
    const parts = await openParts(snap, info.id, only);
    const progress = json ? undefined : new Progress(context, PHASES);
    const onProgress = (done: number, total: number) => progress?.tell({ phase: 'arrays', done, total });
    const files = await exportParts(parts, { to, format, force, signal, onProgress }).finally(() =>
      progress?.end(),
    );
    if (json)
      output.json({ store: snap.directory, snapshot: snapshotJson(info), directory: to, format, files });
    else output.data(describe(info, files, options, output.style));
    return ExitStatus.done;
  });
}

function describe(
  { id, run, step }: SnapshotInfo,
  files: readonly ArrayFile[],
  { to, format }: Options,
  style: Style,
): string {
  const bytes = files.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const arrays = files.length > 0 ? [`${count(files.length, 'array')} of ${formatBytes(bytes)}`] : [];
  if (format === 'npz') arrays[0] = `${ARCHIVE} with ${arrays[0] ?? 'no array'}`;
  const which = `${shortId(id)} (run ${printable(run)}${step === undefined ? '' : `, step ${step}`})`;
  const line = `wrote ${which} to ${printable(to)}: ${[...arrays, DOCUMENT].join(' and ')}`;
  return files.length === 0 ? line : `${line}\n\n${arrayTable(files, style)}`;
}

function arrayTable(files: readonly ArrayFile[], style: Style): string {
  return table(
    [
      { title: 'file', least: 12 },
      { title: 'dtype' },
      { title: 'shape', least: 8, drop: 2 },
      { title: 'size', align: 'right' },
      { title: 'region', least: 8, drop: 1 },
    ],
    files.map(({ file, path, dtype, shape, byteLength }) => [
      file,
      dtype,
      shape.join(' x '),
      formatBytes(byteLength),
      path === '' ? '(state)' : path,
    ]),
    style,
  );
}
