/** When a child can be killed: what it is about to do, and how often it does that when it is to be killed there. */

export type Moment = 'start' | 'open' | 'save' | 'close' | 'restore' | 'collect';

/** What a kill is aimed at. */
export interface Aim {
  name: string;
  /** How many of a thousand kills. */
  share: number;
  moment: Moment;
  /** How many such moments may go by before. */
  skips: number;
  /** The kill comes at most so long after the moment. */
  withinMs: number;
  /** Before the child starts, the index or its seal is taken away. */
  losesIndex?: boolean;
  /** Every save begins a new pack. */
  rolls?: boolean;
}

export const AIMS: readonly Aim[] = [
  { name: 'start', share: 40, moment: 'start', skips: 0, withinMs: 250 },
  { name: 'open', share: 90, moment: 'open', skips: 0, withinMs: 100 },
  { name: 'rebuild', share: 120, moment: 'open', skips: 0, withinMs: 100, losesIndex: true },
  { name: 'save', share: 320, moment: 'save', skips: 20, withinMs: 30 },
  { name: 'roll', share: 150, moment: 'save', skips: 10, withinMs: 40, rolls: true },
  { name: 'close', share: 130, moment: 'close', skips: 1, withinMs: 40 },
  { name: 'collect', share: 110, moment: 'collect', skips: 1, withinMs: 80 },
  { name: 'restore', share: 40, moment: 'restore', skips: 1, withinMs: 30 },
];

/** How likely a child is to do something after a save. */
export function chances({ moment }: Aim): {
  close: number;
  restore: number;
  collect: number;
  forget: number;
} {
  const often = (wanted: Moment, otherwise: number) => (moment === wanted ? 0.4 : otherwise);
  return {
    close: often('close', 0.02),
    restore: often('restore', 0.05),
    collect: often('collect', 0.05),
    forget: 0.03,
  };
}
