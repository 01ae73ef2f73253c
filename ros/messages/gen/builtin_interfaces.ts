// Written by scripts/generate-messages.ts from the definitions of builtin_interfaces: do not edit.
import { RosMessage } from '../message.ts';

export interface Duration {
  sec: number;
  nanosec: number;
}
export const Duration = new RosMessage<Duration>('builtin_interfaces/msg/Duration', 'RIHS01_e8d009f659816f758b75334ee1a9ca5b5c0b859843261f14c7f937349599d93b', [
  { name: 'sec', type: 'int32' },
  { name: 'nanosec', type: 'uint32' },
]);

export interface Time {
  sec: number;
  nanosec: number;
}
export const Time = new RosMessage<Time>('builtin_interfaces/msg/Time', 'RIHS01_b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197', [
  { name: 'sec', type: 'int32' },
  { name: 'nanosec', type: 'uint32' },
]);
