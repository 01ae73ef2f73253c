/** The counters and histograms of `/metrics`, as the kubelet and its libraries name, label and bucket them. */

/** Upper bounds in seconds, as the kubelet's histograms of the same names. */
export const shortBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const startBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700,
  3600,
];
const operationBuckets = Array.from({ length: 14 }, (_, power) => 0.005 * 2.5 ** power);
const pullBuckets = [1, 5, 10, 20, 30, 60, 180, 300, 600, 900, 1200, 1800, 3600];
const storageBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600];
const clientBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

export const counters = {
  kubelet_runtime_operations_total: {
    help: 'Calls to the container runtime by operation type.',
    labels: ['operation_type'],
  },
  kubelet_runtime_operations_errors_total: {
    help: 'Calls to the container runtime that failed, by operation type.',
    labels: ['operation_type'],
  },
  kubelet_started_pods_total: { help: 'Pod sandboxes started.', labels: [] },
  kubelet_started_pods_errors_total: { help: 'Pod sandboxes that failed to start.', labels: [] },
  kubelet_started_containers_total: { help: 'Containers started.', labels: ['container_type'] },
  kubelet_started_containers_errors_total: {
    help: 'Containers that failed to start.',
    labels: ['container_type', 'code'],
  },
  kubelet_http_requests_total: {
    help: 'Requests to the kubelet API, refused ones included.',
    labels: ['method', 'path', 'server_type', 'long_running'],
  },
  kubelet_evictions: {
    help: 'Pods evicted for the sake of the node or for their own limits, by what ran short.',
    labels: ['eviction_signal'],
  },
  kubelet_preemptions: {
    help: 'Pods that ended to make room for a critical one, by what it lacked first.',
    labels: ['preemption_signal'],
  },
  kubelet_admission_rejections_total: {
    help: 'Pods that were not admitted, by the reason.',
    labels: ['reason'],
  },
  kubelet_orphaned_runtime_pods_total: {
    help: 'Pods that a runtime had and nobody answered for.',
    labels: [],
  },
  kubelet_restarted_pods_total: {
    help: 'Pods that came back under their uid after they had ended, as static ones do after an eviction.',
    labels: ['static'],
  },
  kubelet_run_podsandbox_errors_total: {
    help: 'Sandboxes that could not be made, by the handler of their runtime class.',
    labels: ['runtime_handler'],
  },
  kubelet_image_garbage_collected_total: {
    help: 'Images removed because nobody used them, by why.',
    labels: ['reason'],
  },
  kubelet_certificate_manager_client_expiration_renew_errors: {
    help: 'Renewals of the client certificate that failed.',
    labels: [],
  },
  kubelet_server_expiration_renew_errors: {
    help: 'Renewals of the serving certificate that failed.',
    labels: [],
  },
  rest_client_requests_total: {
    help: 'Requests to the API server, by the status of the answer.',
    labels: ['code', 'method', 'host'],
  },
} as const;

export const histograms = {
  kubelet_pod_start_duration_seconds: {
    help: 'From the pod being seen for the first time to its containers running.',
    labels: [],
    buckets: startBuckets,
  },
  kubelet_pod_start_sli_duration_seconds: {
    help: 'From the creation of a pod to all its containers being started, without the time to pull images.',
    labels: [],
    buckets: startBuckets,
  },
  kubelet_pod_start_total_duration_seconds: {
    help: 'From the creation of a pod to all its containers being started.',
    labels: [],
    buckets: startBuckets,
  },
  kubelet_image_pull_duration_seconds: {
    help: 'How long images took to be pulled, by their size.',
    labels: ['image_size_in_bytes'],
    buckets: pullBuckets,
  },
  kubelet_containers_per_pod_count: {
    help: 'Containers of the pods that were admitted.',
    labels: [],
    buckets: [1, 2, 4, 8, 16],
  },
  kubelet_run_podsandbox_duration_seconds: {
    help: 'How long sandboxes took to be made, by the handler of their runtime class.',
    labels: ['runtime_handler'],
    buckets: shortBuckets,
  },
  kubelet_cgroup_manager_duration_seconds: {
    help: "What is done to pods' cgroups, by operation type.",
    labels: ['operation_type'],
    buckets: shortBuckets,
  },
  kubelet_pod_status_sync_duration_seconds: {
    help: "From a pod's status having changed to the API server knowing it.",
    labels: [],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 45, 60],
  },
  storage_operation_duration_seconds: {
    help: 'How long volumes took to be set up.',
    labels: ['migrated', 'operation_name', 'status', 'volume_plugin'],
    buckets: storageBuckets,
  },
  rest_client_request_duration_seconds: {
    help: 'From a request to the API server to the head of its answer.',
    labels: ['host', 'verb'],
    buckets: clientBuckets,
  },
  kubelet_pod_worker_duration_seconds: {
    help: 'One round of a pod worker, by its type.',
    labels: ['operation_type'],
    buckets: shortBuckets,
  },
  kubelet_runtime_operations_duration_seconds: {
    help: 'Calls to the container runtime by operation type.',
    labels: ['operation_type'],
    buckets: operationBuckets,
  },
  kubelet_pleg_relist_duration_seconds: {
    help: 'One listing of all that the runtimes have.',
    labels: [],
    buckets: shortBuckets,
  },
  kubelet_http_requests_duration_seconds: {
    help: 'How long requests to the kubelet API took.',
    labels: ['method', 'path', 'server_type', 'long_running'],
    buckets: shortBuckets,
  },
  kubelet_pleg_relist_interval_seconds: {
    help: 'Time between two listings of all that the runtimes have.',
    labels: [],
    buckets: shortBuckets,
  },
} as const;
