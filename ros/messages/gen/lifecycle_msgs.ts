// Written by scripts/generate-messages.ts from the definitions of lifecycle_msgs: do not edit.
import { RosMessage, RosService } from '../message.ts';

export interface State {
  id: number;
  label: string;
}
export const State = Object.assign(new RosMessage<State>('lifecycle_msgs/msg/State', 'RIHS01_dd2d02b82f3ebc858e53c431b1e6e91f3ffc71436fc81d0715214ac6ee2107a0', [
  { name: 'id', type: 'uint8' },
  { name: 'label', type: 'string' },
]), {
  PRIMARY_STATE_UNKNOWN: 0,
  PRIMARY_STATE_UNCONFIGURED: 1,
  PRIMARY_STATE_INACTIVE: 2,
  PRIMARY_STATE_ACTIVE: 3,
  PRIMARY_STATE_FINALIZED: 4,
  TRANSITION_STATE_CONFIGURING: 10,
  TRANSITION_STATE_CLEANINGUP: 11,
  TRANSITION_STATE_SHUTTINGDOWN: 12,
  TRANSITION_STATE_ACTIVATING: 13,
  TRANSITION_STATE_DEACTIVATING: 14,
  TRANSITION_STATE_ERRORPROCESSING: 15,
} as const);

export interface Transition {
  id: number;
  label: string;
}
export const Transition = Object.assign(new RosMessage<Transition>('lifecycle_msgs/msg/Transition', 'RIHS01_c65d7b31ea134cba4f54fc867b817979be799f7452035cd35fac9b7421fb3424', [
  { name: 'id', type: 'uint8' },
  { name: 'label', type: 'string' },
]), {
  TRANSITION_CREATE: 0,
  TRANSITION_CONFIGURE: 1,
  TRANSITION_CLEANUP: 2,
  TRANSITION_ACTIVATE: 3,
  TRANSITION_DEACTIVATE: 4,
  TRANSITION_UNCONFIGURED_SHUTDOWN: 5,
  TRANSITION_INACTIVE_SHUTDOWN: 6,
  TRANSITION_ACTIVE_SHUTDOWN: 7,
  TRANSITION_DESTROY: 8,
  TRANSITION_ON_CONFIGURE_SUCCESS: 10,
  TRANSITION_ON_CONFIGURE_FAILURE: 11,
  TRANSITION_ON_CONFIGURE_ERROR: 12,
  TRANSITION_ON_CLEANUP_SUCCESS: 20,
  TRANSITION_ON_CLEANUP_FAILURE: 21,
  TRANSITION_ON_CLEANUP_ERROR: 22,
  TRANSITION_ON_ACTIVATE_SUCCESS: 30,
  TRANSITION_ON_ACTIVATE_FAILURE: 31,
  TRANSITION_ON_ACTIVATE_ERROR: 32,
  TRANSITION_ON_DEACTIVATE_SUCCESS: 40,
  TRANSITION_ON_DEACTIVATE_FAILURE: 41,
  TRANSITION_ON_DEACTIVATE_ERROR: 42,
  TRANSITION_ON_SHUTDOWN_SUCCESS: 50,
  TRANSITION_ON_SHUTDOWN_FAILURE: 51,
  TRANSITION_ON_SHUTDOWN_ERROR: 52,
  TRANSITION_ON_ERROR_SUCCESS: 60,
  TRANSITION_ON_ERROR_FAILURE: 61,
  TRANSITION_ON_ERROR_ERROR: 62,
  TRANSITION_CALLBACK_SUCCESS: 97,
  TRANSITION_CALLBACK_FAILURE: 98,
  TRANSITION_CALLBACK_ERROR: 99,
} as const);

export interface TransitionDescription {
  transition: Transition;
  start_state: State;
  goal_state: State;
}
export const TransitionDescription = new RosMessage<TransitionDescription>('lifecycle_msgs/msg/TransitionDescription', 'RIHS01_c5f1cd4bb1ad2ba0e3329d4ac7015c52a674a72c1faf7974c37a33f4f6048b28', [
  { name: 'transition', type: Transition },
  { name: 'start_state', type: State },
  { name: 'goal_state', type: State },
]);

export interface TransitionEvent {
  timestamp: bigint;
  transition: Transition;
  start_state: State;
  goal_state: State;
}
export const TransitionEvent = new RosMessage<TransitionEvent>('lifecycle_msgs/msg/TransitionEvent', 'RIHS01_d5f8873a2f0146498f812d7885c7327ce27e463d36811d8792f35ee38c0d6c38', [
  { name: 'timestamp', type: 'uint64' },
  { name: 'transition', type: Transition },
  { name: 'start_state', type: State },
  { name: 'goal_state', type: State },
]);

export interface ChangeStateRequest {
  transition: Transition;
}
export interface ChangeStateResponse {
  success: boolean;
}
export const ChangeState = new RosService<ChangeStateRequest, ChangeStateResponse>(
  'lifecycle_msgs/srv/ChangeState',
  'RIHS01_356fe34f0475a43acf54542013af4167b0e729f77ea22ffb045c6ad8e20668e5',
  new RosMessage<ChangeStateRequest>('lifecycle_msgs/srv/ChangeState_Request', 'RIHS01_d74c6f524e14cade7b67e7297190360ed749264af300524fc1456f27cc2a553a', [
  { name: 'transition', type: Transition },
]),
  new RosMessage<ChangeStateResponse>('lifecycle_msgs/srv/ChangeState_Response', 'RIHS01_e1ddfed0271fefe63767aa71561926e4d9eac0f1ddf9e71a8873eb46b36deac2', [
  { name: 'success', type: 'bool' },
]),
);

export type GetAvailableStatesRequest = Record<never, never>;
export interface GetAvailableStatesResponse {
  available_states: State[];
}
export const GetAvailableStates = new RosService<GetAvailableStatesRequest, GetAvailableStatesResponse>(
  'lifecycle_msgs/srv/GetAvailableStates',
  'RIHS01_00a07d79d2207d71e81a8cbc1880e5d924cc16d4688ea8e8e06e443dc8f8aa1d',
  new RosMessage<GetAvailableStatesRequest>('lifecycle_msgs/srv/GetAvailableStates_Request', 'RIHS01_c2c0c12de6023822f284929577d4ca2862e0501150010966e8a90b632e4424de', []),
  new RosMessage<GetAvailableStatesResponse>('lifecycle_msgs/srv/GetAvailableStates_Response', 'RIHS01_223e0dd5bb8a847ebb9532adaf8b5e2a97e6e68e79faeaabd81a45fb32925bd1', [
  { name: 'available_states', type: State, array: 'sequence' },
]),
);

export type GetAvailableTransitionsRequest = Record<never, never>;
export interface GetAvailableTransitionsResponse {
  available_transitions: TransitionDescription[];
}
export const GetAvailableTransitions = new RosService<GetAvailableTransitionsRequest, GetAvailableTransitionsResponse>(
  'lifecycle_msgs/srv/GetAvailableTransitions',
  'RIHS01_59b7ecefce0982a8a844b9f2c4f14764c1c4543cc55e72924e2aa4adad83e9bc',
  new RosMessage<GetAvailableTransitionsRequest>('lifecycle_msgs/srv/GetAvailableTransitions_Request', 'RIHS01_52a73c0b5d7489bee0df6ddb0aec45c41289d223ff225b58fe11d859ac8109a6', []),
  new RosMessage<GetAvailableTransitionsResponse>('lifecycle_msgs/srv/GetAvailableTransitions_Response', 'RIHS01_4711339461aadf02bcfff797a198de911f885074bd3f2fe9f7b677ef87f0741c', [
  { name: 'available_transitions', type: TransitionDescription, array: 'sequence' },
]),
);

export type GetStateRequest = Record<never, never>;
export interface GetStateResponse {
  current_state: State;
}
export const GetState = new RosService<GetStateRequest, GetStateResponse>(
  'lifecycle_msgs/srv/GetState',
  'RIHS01_800a0a5aae599782b02932de0caf563f6dc4e7e94b794eadde075ba2cbef9795',
  new RosMessage<GetStateRequest>('lifecycle_msgs/srv/GetState_Request', 'RIHS01_77a9c844e7975f15bc2221e8bbebafc4d118afb78c7f7071eef91f83f940f2f6', []),
  new RosMessage<GetStateResponse>('lifecycle_msgs/srv/GetState_Response', 'RIHS01_fe249babab472e42cb5653b5d6a6b0c42a003b0fdfb84851aea3fde08760b4f5', [
  { name: 'current_state', type: State },
]),
);
