/** Our own annotations of a pod, `roslet.dev/…`: a misspelt one would silently do nothing, so that it is refused. */

import { parseDuration } from '../../config/duration.ts';
import { manifestFileAnnotation } from '../../sources/source.ts';
import type { Pod } from '../core.gen.ts';
import { type FieldError, index } from '../errors.ts';
import { FieldErrors } from '../field-errors.ts';
import type { NameRule } from '../names.ts';
import { nearestName } from '../nearest.ts';
import { parseStartOrder, StartOrderError } from '../start-order.ts';
import { annotationSupport } from '../support-tables.ts';

/** "false": the pod is known but nothing of it is on the machine until it is configured or activated. */
export const autostartAnnotation = 'roslet.dev/autostart';
/** What must be there before the pod's containers start (start-order.ts). */
export const afterAnnotation = 'roslet.dev/after';
/** How long a change of state that is asked for over ROS may take. */
export const transitionTimeoutAnnotation = 'roslet.dev/transition-timeout';
/** "true": what its containers write is on /rosout, too. */
export const rosoutAnnotation = 'roslet.dev/rosout';

const prefix = 'roslet.dev/';

const isBoolean: NameRule = (value) =>
  ['true', 'false'].includes(value) ? undefined : 'must be "true" or "false"';

const rules: Readonly<Record<string, NameRule>> = {
  [autostartAnnotation]: isBoolean,
  [rosoutAnnotation]: isBoolean,
  [afterAnnotation]: (value) => {
    try {
      parseStartOrder(value);
      return undefined;
    } catch (err) {
      if (err instanceof StartOrderError) return err.message;
      throw err;
    }
  },
  [transitionTimeoutAnnotation]: (value) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms > 0 ? undefined : 'must be a duration above 0, such as 90s or 5m';
  },
  // The agent sets it on the pods of manifests.
  [manifestFileAnnotation]: () => undefined,
};

/** Also of pods that another API server has validated, which knows nothing of these. */
export function annotationErrors(pod: Pod): FieldError[] {
  const errors = new FieldErrors();
  for (const [key, value] of Object.entries(pod.metadata?.annotations ?? {})) {
    const path = index('metadata.annotations', key);
    const rule = rules[key];
    if (rule !== undefined) errors.check(path, value, rule);
    else if (key.startsWith(prefix) && !annotationSupport.some((known) => key.startsWith(known.prefix))) {
      const names = Object.keys(rules).map((each) => each.slice(prefix.length));
      const meant = nearestName(key.slice(prefix.length), names);
      const hint = meant === undefined ? `known are ${names.join(', ')}` : `did you mean ${prefix}${meant}?`;
      errors.invalid(path, key, `is no annotation of roslet's; ${hint}`);
    }
  }
  return errors.items;
}
