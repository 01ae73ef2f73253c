/**
 * Answers `ros2-probe` probes. What watches the ROS graph may come late, go and come back: meanwhile nobody can tell,
 * which changes no probe's result.
 */
import type { RosFinding, RosProber, RosWatch } from '../prober.ts';

export type BeginWatch = RosProber['watch'];

export interface BridgeProber extends RosProber {
  /** From now on watches are had (again); all of them begin anew. */
  attach(begin: BeginWatch): void;
  /** There are none at present. */
  detach(why: string): void;
  /** There are none any more, and nobody is told: the agent itself ends. */
  close(): void;
}

/** @param why nobody can tell before `attach` */
export function rosProber(why: string): BridgeProber {
  const watches = new Set<{ end(): void; onChange(): void }>();
  let begin: BeginWatch | undefined;
  let missing: Omit<RosFinding, 'state'> = { atMs: performance.now(), message: why };

  function change(next: BeginWatch | undefined, message: string): void {
    begin = next;
    missing = { atMs: performance.now(), message };
    for (const { end } of watches) end();
  }

  function tell(): void {
    for (const { onChange } of [...watches]) onChange();
  }

  return {
    attach(next) {
      change(next, '');
      tell();
    },
    detach(message) {
      change(undefined, message);
      tell();
    },
    close: () => change(undefined, 'the agent ends'),
    watch(spec, target, onChange) {
      let inner: RosWatch | undefined;
      let failure: RosFinding | undefined;
      /** One that could not be had is tried again when it is next asked. */
      const start = (): void => {
        if (inner !== undefined || begin === undefined) return;
        try {
          inner = begin(spec, target, onChange);
        } catch (err) {
          const message = `it cannot be watched: ${(err as Error).message}`;
          failure = { state: 'unknown', atMs: performance.now(), message };
        }
      };
      const end = (): void => {
        inner?.close();
        inner = undefined;
        failure = undefined;
      };
      const watch = { end, onChange };
      watches.add(watch);
      start();
      return {
        check() {
          start();
          return inner?.check() ?? failure ?? { state: 'unknown', ...missing };
        },
        gaps: () => inner?.gaps(),
        whyUnheard: async () => inner?.whyUnheard(),
        close() {
          watches.delete(watch);
          end();
        },
      };
    },
  };
}
