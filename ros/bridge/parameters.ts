/**
 * The parameter services of a node, as rclcpp answers them, to read: of the agent's node the configuration in force, of a
 * pod's nothing of its own. Every node has to have them: `ros2 param list` waits five seconds for each that has none. Pure.
 */
import {
  DescribeParameters,
  GetParameters,
  GetParameterTypes,
  ListParameters,
  ParameterDescriptor,
  ParameterType,
  ParameterValue,
  SetParameters,
  SetParametersAtomically,
} from '../messages/gen/rcl_interfaces.ts';
import type { RosNode, Service } from '../transport.ts';

/** @param why every attempt to set one is refused */
export function serveParameters(
  node: RosNode,
  prefix: string,
  configuration: object,
  why: string,
): Service[] {
  const parameters = parametersOf(configuration);
  const notSet = ParameterValue.create();
  const value = (name: string) => parameters.get(name) ?? notSet;
  return [
    node.createService(`${prefix}/list_parameters`, ListParameters, (request) => ({
      result: listParameters([...parameters.keys()], request),
    })),
    node.createService(`${prefix}/get_parameters`, GetParameters, ({ names }) => ({
      values: bounded(names).map(value),
    })),
    node.createService(`${prefix}/get_parameter_types`, GetParameterTypes, ({ names }) => ({
      types: Uint8Array.from(bounded(names), (name) => value(name).type),
    })),
    node.createService(`${prefix}/describe_parameters`, DescribeParameters, ({ names }) => ({
      descriptors: bounded(names).map((name) =>
        ParameterDescriptor.create({
          name,
          type: value(name).type,
          read_only: true,
          additional_constraints: why,
        }),
      ),
    })),
    node.createService(`${prefix}/set_parameters`, SetParameters, ({ parameters: asked }) => ({
      results: bounded(asked).map(() => ({ successful: false, reason: why })),
    })),
    node.createService(`${prefix}/set_parameters_atomically`, SetParametersAtomically, () => ({
      result: { successful: false, reason: why },
    })),
  ];
}

/** More than there are parameters: a request for a million of them must not hold up the agent. */
const maxAsked = 10_000;

function bounded<T>(asked: T[]): T[] {
  if (asked.length <= maxAsked) return asked;
  throw new Error(`a request names ${asked.length} parameters; it may name ${maxAsked}`);
}

/** Fields of nested mappings with dots between them; what has no type of parameter is told as JSON. */
export function parametersOf(configuration: object): Map<string, ParameterValue> {
  const found = new Map([['use_sim_time', parameterValue(false)]]);
  const walk = (object: object, prefix: string): void => {
    for (const [key, value] of Object.entries(object)) {
      const name = `${prefix}${key}`;
      const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (isMapping && Object.keys(value).length > 0) walk(value, `${name}.`);
      else if (value !== undefined) found.set(name, parameterValue(value));
    }
  };
  walk(configuration, '');
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function parameterValue(value: unknown): ParameterValue {
  const T = ParameterType;
  if (typeof value === 'boolean') return ParameterValue.create({ type: T.PARAMETER_BOOL, bool_value: value });
  if (Number.isSafeInteger(value)) {
    return ParameterValue.create({ type: T.PARAMETER_INTEGER, integer_value: BigInt(value as number) });
  }
  if (typeof value === 'number')
    return ParameterValue.create({ type: T.PARAMETER_DOUBLE, double_value: value });
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return ParameterValue.create({ type: T.PARAMETER_STRING_ARRAY, string_array_value: value });
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return ParameterValue.create({ type: T.PARAMETER_STRING, string_value: text });
}

/** rclcpp's rule: names below a prefix down to a depth counted from it; depth 0 is all of them. */
export function listParameters(
  names: readonly string[],
  { depth, prefixes }: { depth: bigint; prefixes: readonly string[] },
): { names: string[]; prefixes: string[] } {
  const levels = (name: string) => BigInt(name.split('.').length);
  const isWanted = (name: string): boolean => {
    if (prefixes.length === 0) return depth === 0n || levels(name) <= depth;
    return prefixes.some((prefix) => {
      if (name === prefix) return true;
      if (!name.startsWith(`${prefix}.`)) return false;
      return depth === 0n || levels(name.slice(prefix.length + 1)) <= depth;
    });
  };
  const wanted = names.filter(isWanted);
  const above = wanted
    .filter((name) => name.includes('.'))
    .map((name) => name.slice(0, name.lastIndexOf('.')));
  return { names: wanted, prefixes: [...new Set(above)] };
}
