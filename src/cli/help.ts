/** What stands under every `--help`: examples, and the statuses that this command can end in. */

import { ExitStatus, STATUS_MEANING } from './exit-status.js';

/** Statuses that every command shares. */
const COMMON = [ExitStatus.done, ExitStatus.failed, ExitStatus.usage, ExitStatus.noStore] as const;
const TAIL = [ExitStatus.damage, ExitStatus.newer, ExitStatus.interrupted] as const;

export const READING: readonly ExitStatus[] = [...COMMON, ...TAIL];
export const WRITING: readonly ExitStatus[] = [...COMMON, ExitStatus.locked, ...TAIL];
export const WRITING_SEVERAL: readonly ExitStatus[] = [...WRITING, ExitStatus.partly];
/** Where 1 is an answer, what cannot be answered has a status of its own. */
export const COMPARING: readonly ExitStatus[] = [...READING, ExitStatus.undecided];
export const ALL: readonly ExitStatus[] = Object.values(ExitStatus);

export function epilogue(
  examples: readonly string[],
  statuses: readonly ExitStatus[],
  other: Partial<Record<ExitStatus, string>> = {},
): string {
  const sorted = [...statuses].sort((a, b) => a - b);
  return [
    '',
    'Examples:',
    ...examples.map((example) => `  $ ${example}`),
    '',
    'Exit status:',
    ...sorted.map((status) => `  ${String(status).padStart(3)}  ${other[status] ?? STATUS_MEANING[status]}`),
  ].join('\n');
}
