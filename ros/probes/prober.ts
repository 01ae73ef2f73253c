/**
 * Answers `ros2-probe` probes. What watches the ROS graph may come late, go and come back: meanwhile nobody can tell,
 * which changes no probe's result.
 */
import type { RosFinding, RosProber, RosWatch } from '../prober.ts';

export type BeginWatch = RosProber['watch'];

export interface BridgeProber extends RosProber {
  /** From now on watches are had (again); all of them begin anew. */
  attach(begin: BeginWatch): void;
  /** There are none any more. */
  detach(why: string): void;
}

/** @param why nobody can tell before `attach` */
export function rosProber(why: string): BridgeProber {
  const restarts = new Set<() => void>();
  let begin: BeginWatch | undefined;
  let missing: Omit<RosFinding, 'state'> = { atMs: performance.now(), message: why };

  function change(next: BeginWatch | undefined, message: string): void {
    begin = next;
    missing = { atMs: performance.now(), message };
    for (const restart of [...restarts]) restart();
  }

  return {
    attach: (next) => change(next, ''),
    detach: (message) => change(undefined, message),
    watch(spec, target, onChange) {
      let inner: RosWatch | undefined = begin?.(spec, target, onChange);
      const restart = () => {
        inner?.close();
        inner = begin?.(spec, target, onChange);
        onChange();
      };
      restarts.add(restart);
      return {
        check: () => inner?.check() ?? { state: 'unknown', ...missing },
        gaps: () => inner?.gaps(),
        close() {
          restarts.delete(restart);
          inner?.close();
        },
      };
    },
  };
}
