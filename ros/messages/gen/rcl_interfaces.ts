// Written by scripts/generate-messages.ts from the definitions of rcl_interfaces: do not edit.
import * as builtin_interfaces from './builtin_interfaces.ts';
import { RosMessage, RosService } from '../message.ts';

export interface FloatingPointRange {
  from_value: number;
  to_value: number;
  step: number;
}
export const FloatingPointRange = new RosMessage<FloatingPointRange>('rcl_interfaces/msg/FloatingPointRange', 'RIHS01_e6af23a23c177fee5f3075c8b1e435162a9b63c863d78c06017460b49684262d', [
  { name: 'from_value', type: 'float64' },
  { name: 'to_value', type: 'float64' },
  { name: 'step', type: 'float64' },
]);

export interface IntegerRange {
  from_value: bigint;
  to_value: bigint;
  step: bigint;
}
export const IntegerRange = new RosMessage<IntegerRange>('rcl_interfaces/msg/IntegerRange', 'RIHS01_f7b7fdc0f65f07702e099218e13288c3963bcb9345bde78b560e6cd19800fc5a', [
  { name: 'from_value', type: 'int64' },
  { name: 'to_value', type: 'int64' },
  { name: 'step', type: 'uint64' },
]);

export interface ListParametersResult {
  names: string[];
  prefixes: string[];
}
export const ListParametersResult = new RosMessage<ListParametersResult>('rcl_interfaces/msg/ListParametersResult', 'RIHS01_237ae3428413dcbcfb452b510c42355f3a2b021dc091afa3e18526d57022f1cd', [
  { name: 'names', type: 'string', array: 'sequence' },
  { name: 'prefixes', type: 'string', array: 'sequence' },
]);

export interface Log {
  stamp: builtin_interfaces.Time;
  level: number;
  name: string;
  msg: string;
  file: string;
  function: string;
  line: number;
}
export const Log = Object.assign(new RosMessage<Log>('rcl_interfaces/msg/Log', 'RIHS01_e28ce254ca8abc06abf92773b74602cdbf116ed34fbaf294fb9f81da9f318eac', [
  { name: 'stamp', type: builtin_interfaces.Time },
  { name: 'level', type: 'uint8' },
  { name: 'name', type: 'string' },
  { name: 'msg', type: 'string' },
  { name: 'file', type: 'string' },
  { name: 'function', type: 'string' },
  { name: 'line', type: 'uint32' },
]), {
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  ERROR: 40,
  FATAL: 50,
} as const);

export interface ParameterValue {
  type: number;
  bool_value: boolean;
  integer_value: bigint;
  double_value: number;
  string_value: string;
  byte_array_value: Uint8Array;
  bool_array_value: boolean[];
  integer_array_value: BigInt64Array;
  double_array_value: Float64Array;
  string_array_value: string[];
}
export const ParameterValue = new RosMessage<ParameterValue>('rcl_interfaces/msg/ParameterValue', 'RIHS01_115fc089a387e23c7ecd3525c9189c379109119d6ab82e8dfbde0fdf6a7f9b68', [
  { name: 'type', type: 'uint8' },
  { name: 'bool_value', type: 'bool' },
  { name: 'integer_value', type: 'int64' },
  { name: 'double_value', type: 'float64' },
  { name: 'string_value', type: 'string' },
  { name: 'byte_array_value', type: 'byte', array: 'sequence' },
  { name: 'bool_array_value', type: 'bool', array: 'sequence' },
  { name: 'integer_array_value', type: 'int64', array: 'sequence' },
  { name: 'double_array_value', type: 'float64', array: 'sequence' },
  { name: 'string_array_value', type: 'string', array: 'sequence' },
]);

export interface Parameter {
  name: string;
  value: ParameterValue;
}
export const Parameter = new RosMessage<Parameter>('rcl_interfaces/msg/Parameter', 'RIHS01_ddfe6442cffc462317adb5c92536a7b6dd55858c5c3e1e328165a6b73c2831af', [
  { name: 'name', type: 'string' },
  { name: 'value', type: ParameterValue },
]);

export interface ParameterDescriptor {
  name: string;
  type: number;
  description: string;
  additional_constraints: string;
  read_only: boolean;
  dynamic_typing: boolean;
  floating_point_range: FloatingPointRange[];
  integer_range: IntegerRange[];
}
export const ParameterDescriptor = new RosMessage<ParameterDescriptor>('rcl_interfaces/msg/ParameterDescriptor', 'RIHS01_52175dbfda6c51153101d33d2a9da05743f66f02d5ab2ca9ec4709b46b73d704', [
  { name: 'name', type: 'string' },
  { name: 'type', type: 'uint8' },
  { name: 'description', type: 'string' },
  { name: 'additional_constraints', type: 'string' },
  { name: 'read_only', type: 'bool', defaultValue: false },
  { name: 'dynamic_typing', type: 'bool', defaultValue: false },
  { name: 'floating_point_range', type: FloatingPointRange, array: 'sequence', bound: 1 },
  { name: 'integer_range', type: IntegerRange, array: 'sequence', bound: 1 },
]);

export interface ParameterEvent {
  stamp: builtin_interfaces.Time;
  node: string;
  new_parameters: Parameter[];
  changed_parameters: Parameter[];
  deleted_parameters: Parameter[];
}
export const ParameterEvent = new RosMessage<ParameterEvent>('rcl_interfaces/msg/ParameterEvent', 'RIHS01_043e627780fcad87a22d225bc2a037361dba713fca6a6b9f4b869a5aa0393204', [
  { name: 'stamp', type: builtin_interfaces.Time },
  { name: 'node', type: 'string' },
  { name: 'new_parameters', type: Parameter, array: 'sequence' },
  { name: 'changed_parameters', type: Parameter, array: 'sequence' },
  { name: 'deleted_parameters', type: Parameter, array: 'sequence' },
]);

export type ParameterType = Record<never, never>;
export const ParameterType = Object.assign(new RosMessage<ParameterType>('rcl_interfaces/msg/ParameterType', 'RIHS01_df29ed057a834862187be24dd187d981790ff3ea6502f4cd27b432cbc42c6d46', []), {
  PARAMETER_NOT_SET: 0,
  PARAMETER_BOOL: 1,
  PARAMETER_INTEGER: 2,
  PARAMETER_DOUBLE: 3,
  PARAMETER_STRING: 4,
  PARAMETER_BYTE_ARRAY: 5,
  PARAMETER_BOOL_ARRAY: 6,
  PARAMETER_INTEGER_ARRAY: 7,
  PARAMETER_DOUBLE_ARRAY: 8,
  PARAMETER_STRING_ARRAY: 9,
} as const);

export interface SetParametersResult {
  successful: boolean;
  reason: string;
}
export const SetParametersResult = new RosMessage<SetParametersResult>('rcl_interfaces/msg/SetParametersResult', 'RIHS01_cfcc0fb0371ee5159b403960ef4300f8f9d2f1fd6117c8666b7f9654d528a9b1', [
  { name: 'successful', type: 'bool' },
  { name: 'reason', type: 'string' },
]);

export interface DescribeParametersRequest {
  names: string[];
}
export interface DescribeParametersResponse {
  descriptors: ParameterDescriptor[];
}
export const DescribeParameters = new RosService<DescribeParametersRequest, DescribeParametersResponse>(
  'rcl_interfaces/srv/DescribeParameters',
  'RIHS01_845b484d71eb0673dae682f2e3ba3c4851a65a3dcfb97bddd82c5b57e91e4cff',
  new RosMessage<DescribeParametersRequest>('rcl_interfaces/srv/DescribeParameters_Request', 'RIHS01_05dd1c2bc87dec2627105c8070d6f9725c781a4f2ab852975bf105462b82b644', [
  { name: 'names', type: 'string', array: 'sequence' },
]),
  new RosMessage<DescribeParametersResponse>('rcl_interfaces/srv/DescribeParameters_Response', 'RIHS01_ad6747319613c6131589e062e095b469a46cc764f7d0f12a001a49e6cd893995', [
  { name: 'descriptors', type: ParameterDescriptor, array: 'sequence' },
]),
);

export interface GetParameterTypesRequest {
  names: string[];
}
export interface GetParameterTypesResponse {
  types: Uint8Array;
}
export const GetParameterTypes = new RosService<GetParameterTypesRequest, GetParameterTypesResponse>(
  'rcl_interfaces/srv/GetParameterTypes',
  'RIHS01_da199c878688b3e530bdfe3ca8f74cb9fa0c303101e980a9e8f260e25e1c80ca',
  new RosMessage<GetParameterTypesRequest>('rcl_interfaces/srv/GetParameterTypes_Request', 'RIHS01_87d7ec5ef545d4daa289d500025d31fb2437bc8b8365ca367161c4dac4be33fd', [
  { name: 'names', type: 'string', array: 'sequence' },
]),
  new RosMessage<GetParameterTypesResponse>('rcl_interfaces/srv/GetParameterTypes_Response', 'RIHS01_ac1335dce67c478e669434f6ac2fbff34fcd529580f272d3006785ba8b54e47f', [
  { name: 'types', type: 'uint8', array: 'sequence' },
]),
);

export interface GetParametersRequest {
  names: string[];
}
export interface GetParametersResponse {
  values: ParameterValue[];
}
export const GetParameters = new RosService<GetParametersRequest, GetParametersResponse>(
  'rcl_interfaces/srv/GetParameters',
  'RIHS01_bf9803d5c74cf989a5de3e0c2e99444599a627c7ff75f97b8c05b01003675cbc',
  new RosMessage<GetParametersRequest>('rcl_interfaces/srv/GetParameters_Request', 'RIHS01_135a9e1c3d7cebef792f6687d7ddf99949b21a0bd9a320d863a9110a3f5cf4d6', [
  { name: 'names', type: 'string', array: 'sequence' },
]),
  new RosMessage<GetParametersResponse>('rcl_interfaces/srv/GetParameters_Response', 'RIHS01_9fa773b46e39cc5d02db6224d8fd520bb9caeeffc2b27c96c1e59431baba9f2a', [
  { name: 'values', type: ParameterValue, array: 'sequence' },
]),
);

export interface ListParametersRequest {
  prefixes: string[];
  depth: bigint;
}
export interface ListParametersResponse {
  result: ListParametersResult;
}
export const ListParameters = Object.assign(new RosService<ListParametersRequest, ListParametersResponse>(
  'rcl_interfaces/srv/ListParameters',
  'RIHS01_3e6062bfbb27bfb8730d4cef2558221f51a11646d78e7bb30a1e83afac3aad9d',
  new RosMessage<ListParametersRequest>('rcl_interfaces/srv/ListParameters_Request', 'RIHS01_a1b0b5d6b967a5b8ac5bc8563c3ea678f349e312a6a4967227c5a96bc5ce38df', [
  { name: 'prefixes', type: 'string', array: 'sequence' },
  { name: 'depth', type: 'uint64' },
]),
  new RosMessage<ListParametersResponse>('rcl_interfaces/srv/ListParameters_Response', 'RIHS01_31b937b82de3612426be79f231e386259f97e8dc843e3f2845288b4bfa296bdd', [
  { name: 'result', type: ListParametersResult },
]),
), {
  DEPTH_RECURSIVE: 0n,
} as const);

export interface SetParametersRequest {
  parameters: Parameter[];
}
export interface SetParametersResponse {
  results: SetParametersResult[];
}
export const SetParameters = new RosService<SetParametersRequest, SetParametersResponse>(
  'rcl_interfaces/srv/SetParameters',
  'RIHS01_56eed9a67e169f9cb6c1f987bc88f868c14a8fc9f743a263bc734c154015d7e0',
  new RosMessage<SetParametersRequest>('rcl_interfaces/srv/SetParameters_Request', 'RIHS01_130d46386b7e84ea9ecf60608a4d83cbe5e5cb7c6cc5b712b7a4e3a6c254e932', [
  { name: 'parameters', type: Parameter, array: 'sequence' },
]),
  new RosMessage<SetParametersResponse>('rcl_interfaces/srv/SetParameters_Response', 'RIHS01_7a0e8140a0b8d98308fa81a5403a766e610af29a239caf54b7553227906fc266', [
  { name: 'results', type: SetParametersResult, array: 'sequence' },
]),
);

export interface SetParametersAtomicallyRequest {
  parameters: Parameter[];
}
export interface SetParametersAtomicallyResponse {
  result: SetParametersResult;
}
export const SetParametersAtomically = new RosService<SetParametersAtomicallyRequest, SetParametersAtomicallyResponse>(
  'rcl_interfaces/srv/SetParametersAtomically',
  'RIHS01_0e192ef259c07fc3c07a13191d27002222e65e00ccec653ca05e856f79285fcd',
  new RosMessage<SetParametersAtomicallyRequest>('rcl_interfaces/srv/SetParametersAtomically_Request', 'RIHS01_db0bd950ed5ed867a0e90b225e44dea382d762c0762ff3e0ee842190042a59e5', [
  { name: 'parameters', type: Parameter, array: 'sequence' },
]),
  new RosMessage<SetParametersAtomicallyResponse>('rcl_interfaces/srv/SetParametersAtomically_Response', 'RIHS01_31b1a38c5b0b9d893ee24da45f69638f4561c78461d82d52750f429b534502b8', [
  { name: 'result', type: SetParametersResult },
]),
);
