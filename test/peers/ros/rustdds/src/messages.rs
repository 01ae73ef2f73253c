//! The messages that the tests exchange, field by field as their definitions have them.

use ros2_client::Message;
use serde::{Deserialize, Serialize};

macro_rules! messages {
    ($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => {
        $(
            #[derive(Clone, Debug, Default, Serialize, Deserialize)]
            #[serde(default)]
            pub struct $name { $(pub $field: $type),* }
            impl Message for $name {}
        )*
    };
}

messages! {
    Time { sec: i32, nanosec: u32 }
    // std_msgs/msg/String
    Text { data: String }
    State { id: u8, label: String }
    Transition { id: u8, label: String }
    TransitionEvent { timestamp: u64, transition: Transition, start_state: State, goal_state: State }
    ProbeStatus {
        kind: u8, result: u8, description: String, consecutive_successes: u32, consecutive_failures: u32,
        last_success: Time, last_failure: Time, last_failure_message: String,
    }
    ContainerStatus {
        name: String, image: String, kind: u8, state: u8, started: bool, ready: bool, reason: String,
        message: String, restart_count: u32, started_at: Time, finished_at: Time, exit_code: i32,
        last_started_at: Time, last_finished_at: Time, last_exit_code: i32, last_reason: String,
        last_message: String, probes: Vec<ProbeStatus>,
    }
    PodStatus {
        stamp: Time, robot: String, pod_namespace: String, pod_name: String, uid: String, ros_node: String,
        runtime: String, lifecycle_state: State, phase: u8, ready: bool, reason: String, message: String,
        waits_for: Vec<String>, restart_count: u32, start_time: Time, ips: Vec<String>, dds_domain_id: i32,
        cpu_usage_cores: f64, memory_usage_bytes: u64, containers: Vec<ContainerStatus>,
    }
    // What IDL puts where a message has no fields.
    GetStateRequest { structure_needs_at_least_one_member: u8 }
    GetStateResponse { current_state: State }
    ChangeStateRequest { transition: Transition }
    ChangeStateResponse { success: bool }
}
