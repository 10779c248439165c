// One run of the town: the stage, the deeds that a scenario has in store, and what happened lately.

import type { Address } from "./address.js";
import type { Deed, Happening, Options, Snapshot, Stage, StageClass } from "./contract.js";
import { scenarioById, type Scenario } from "./scenarios.js";

/** How many happenings are kept for the list of events. */
const LOG_MAX = 240;

/** One slice of work between two looks at the clock of the machine. */
const SLICE = 128;

export interface Advance {
  happenings: Happening[];
  /** Whether the run is where it was asked to be; otherwise the machine is too slow for this speed. */
  arrived: boolean;
  /** Whether a happening ended it that was asked to. */
  stopped: boolean;
}

export class Run {
  readonly log: Happening[] = [];
  /** Grows with each happening; tells whether a list has to be drawn anew. */
  happened = 0;
  private readonly due: { at: number; deed: Deed }[];

  private constructor(
    readonly stage: Stage,
    readonly scenario: Scenario | null,
    /** Whether deeds besides the scenario's make up this run, so that a link has to carry its trace. */
    public touched: boolean,
    due: readonly { at: number; deed: Deed }[],
  ) {
    this.due = [...due];
  }

  /** Throws an `Error` with a sentence when the stage refuses options or trace. */
  static begin(stages: StageClass, address: Address): Run {
    const scenario = address.scenario ? scenarioById(address.scenario) : null;
    if (address.trace) return new Run(stages.replay(address.trace), scenario, true, []);
    return new Run(new stages(address.options), scenario, false, scenario?.deeds ?? []);
  }

  get options(): Options {
    return this.stage.options();
  }

  now(): number {
    return this.stage.now();
  }

  snapshot(): Snapshot {
    return this.stage.snapshot();
  }

  /**
   * Runs until virtual time `until`, for at most `budget` milliseconds of real time, and, where `stop` is given, until the
   * first happening that it names: who follows an envelope must not be carried past it.
   */
  advance(until: number, budget: number, stop: ((happening: Happening) => boolean) | null): Advance {
    const begun = performance.now();
    const last = Math.floor(until);
    const happenings: Happening[] = [];
    let arrived = false;
    let stopped = false;
    while (!arrived) {
      const deed = this.due[0];
      const goal = deed && deed.at <= last ? deed.at : last;
      const slice = this.stage.run(goal, stop ? 1 : SLICE);
      happenings.push(...slice);
      stopped = stop !== null && slice.some(stop);
      if (stopped) break;
      // A call may end early with nothing to tell; where the clock stands says whether there is more to come.
      const there = this.stage.now() >= goal;
      if (there && deed?.at === goal) happenings.push(...this.perform());
      else arrived = there;
      if (performance.now() - begun > budget) break;
    }
    this.keep(happenings);
    return { happenings, arrived, stopped };
  }

  /** The next single event; a deed of the scenario, where that comes first. */
  step(): Happening[] {
    const deed = this.due[0];
    let happenings: Happening[];
    if (deed) {
      do happenings = this.stage.run(deed.at, 1);
      while (happenings.length === 0 && this.stage.now() < deed.at);
      if (happenings.length === 0) happenings = this.perform();
    } else {
      happenings = this.stage.step();
    }
    this.keep(happenings);
    return happenings;
  }

  /** The reader does something. Throws an `Error` with a sentence if it makes no sense at this time. */
  act(deed: Deed): void {
    this.stage.act(deed);
    this.touched = true;
  }

  /** How much of the scenario is done, from 0 to 1. */
  progress(): number {
    const end = this.scenario?.end ?? 0;
    return end > 0 ? Math.min(1, this.stage.now() / end) : 1;
  }

  end(): void {
    this.stage.free();
  }

  /** The scenario's next deed, after everything else that happens at its moment: so that it is the same run each time. */
  private perform(): Happening[] {
    const happenings = this.stage.run(this.stage.now(), SLICE);
    const deed = happenings.length === 0 ? this.due.shift() : undefined;
    if (!deed) return happenings;
    this.stage.act(deed.deed);
    return this.stage.run(this.stage.now(), 1);
  }

  private keep(happenings: readonly Happening[]): void {
    this.happened += happenings.length;
    this.log.push(...happenings.slice(-LOG_MAX));
    if (this.log.length > LOG_MAX) this.log.splice(0, this.log.length - LOG_MAX);
  }
}
