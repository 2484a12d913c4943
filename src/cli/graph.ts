/**
 * How snapshots descend from each other, drawn beside a list of them that has the newest first: a lane for each line
 * of descent, `●` where a snapshot stands, `╯` where a lane ends at the snapshot it branched off from.
 */

/** What a list says of a snapshot. */
export interface Node {
  id: string;
  parent: string | undefined;
}

const HERE = '●';
const PASSING = '│';
const ENDING = '╯';
const ACROSS = '─';

/** One drawing for each snapshot, all of the same width; undefined where nothing branches. */
export function graphOf(nodes: readonly Node[]): string[] | undefined {
  /** What each lane leads to; undefined where it is free. */
  const lanes: (string | undefined)[] = [];
  const listed = new Set(nodes.map(({ id }) => id));
  const rows = nodes.map(({ id, parent }) => {
    const leading = lanes.flatMap((target, lane) => (target === id ? [lane] : []));
    const own = leading[0] ?? freeLane(lanes);
    lanes[own] = id;
    const row = draw(lanes, own, leading.slice(1));
    for (const lane of leading.slice(1)) lanes[lane] = undefined;
    lanes[own] = parent !== undefined && listed.has(parent) ? parent : undefined;
    while (lanes.length > 0 && lanes.at(-1) === undefined) lanes.pop();
    return row;
  });
  const width = Math.max(0, ...rows.map((row) => row.length));
  return width > 1 ? rows.map((row) => row.padEnd(width)) : undefined;
}

function freeLane(lanes: readonly (string | undefined)[]): number {
  const free = lanes.indexOf(undefined);
  return free < 0 ? lanes.length : free;
}

/** Two columns a lane: the lane itself, and what lies between it and the next. */
function draw(lanes: readonly (string | undefined)[], own: number, ending: readonly number[]): string {
  const last = Math.max(own, ...ending);
  let row = '';
  for (let lane = 0; lane < lanes.length; lane++) {
    const isAcross = lane > own && lane < last;
    if (lane === own) row += HERE;
    else if (ending.includes(lane)) row += ENDING;
    else if (lanes[lane] !== undefined) row += PASSING;
    else row += isAcross ? ACROSS : ' ';
    if (lane < lanes.length - 1) row += lane >= own && lane < last ? ACROSS : ' ';
  }
  return row;
}
