/** Every remote call that this runtime makes, as data: its gRPC path and how its messages are written and read. */
import * as events from './gen/containerd-events.ts';
import * as cri from './gen/runtime.ts';
import { callFields, type Method } from './grpc/call.ts';

const runtime = 'runtime.v1.RuntimeService';
const image = 'runtime.v1.ImageService';

export const version = method(`/${runtime}/Version`, cri.VersionRequest, cri.VersionResponse);
export const status = method(`/${runtime}/Status`, cri.StatusRequest, cri.StatusResponse);
export const runtimeConfig = method(
  `/${runtime}/RuntimeConfig`,
  cri.RuntimeConfigRequest,
  cri.RuntimeConfigResponse,
);
export const runPodSandbox = method(
  `/${runtime}/RunPodSandbox`,
  cri.RunPodSandboxRequest,
  cri.RunPodSandboxResponse,
);
export const stopPodSandbox = method(
  `/${runtime}/StopPodSandbox`,
  cri.StopPodSandboxRequest,
  cri.StopPodSandboxResponse,
);
export const removePodSandbox = method(
  `/${runtime}/RemovePodSandbox`,
  cri.RemovePodSandboxRequest,
  cri.RemovePodSandboxResponse,
);
export const podSandboxStatus = method(
  `/${runtime}/PodSandboxStatus`,
  cri.PodSandboxStatusRequest,
  cri.PodSandboxStatusResponse,
);
export const listPodSandbox = method(
  `/${runtime}/ListPodSandbox`,
  cri.ListPodSandboxRequest,
  cri.ListPodSandboxResponse,
);
export const createContainer = method(
  `/${runtime}/CreateContainer`,
  cri.CreateContainerRequest,
  cri.CreateContainerResponse,
);
export const startContainer = method(
  `/${runtime}/StartContainer`,
  cri.StartContainerRequest,
  cri.StartContainerResponse,
);
export const stopContainer = method(
  `/${runtime}/StopContainer`,
  cri.StopContainerRequest,
  cri.StopContainerResponse,
);
export const removeContainer = method(
  `/${runtime}/RemoveContainer`,
  cri.RemoveContainerRequest,
  cri.RemoveContainerResponse,
);
export const listContainers = method(
  `/${runtime}/ListContainers`,
  cri.ListContainersRequest,
  cri.ListContainersResponse,
);
export const containerStatus = method(
  `/${runtime}/ContainerStatus`,
  cri.ContainerStatusRequest,
  cri.ContainerStatusResponse,
);
export const updateContainerResources = method(
  `/${runtime}/UpdateContainerResources`,
  cri.UpdateContainerResourcesRequest,
  cri.UpdateContainerResourcesResponse,
);
export const checkpointContainer = method(
  `/${runtime}/CheckpointContainer`,
  cri.CheckpointContainerRequest,
  cri.CheckpointContainerResponse,
);
export const reopenContainerLog = method(
  `/${runtime}/ReopenContainerLog`,
  cri.ReopenContainerLogRequest,
  cri.ReopenContainerLogResponse,
);
export const execSync = method(`/${runtime}/ExecSync`, cri.ExecSyncRequest, cri.ExecSyncResponse);
export const exec = method(`/${runtime}/Exec`, cri.ExecRequest, cri.ExecResponse);
export const attach = method(`/${runtime}/Attach`, cri.AttachRequest, cri.AttachResponse);
export const portForward = method(`/${runtime}/PortForward`, cri.PortForwardRequest, cri.PortForwardResponse);
export const containerStats = method(
  `/${runtime}/ContainerStats`,
  cri.ContainerStatsRequest,
  cri.ContainerStatsResponse,
);
export const listContainerStats = method(
  `/${runtime}/ListContainerStats`,
  cri.ListContainerStatsRequest,
  cri.ListContainerStatsResponse,
);
export const getContainerEvents = method(
  `/${runtime}/GetContainerEvents`,
  cri.GetEventsRequest,
  cri.ContainerEventResponse,
);

export const listImages = method(`/${image}/ListImages`, cri.ListImagesRequest, cri.ListImagesResponse);
export const imageStatus = method(`/${image}/ImageStatus`, cri.ImageStatusRequest, cri.ImageStatusResponse);
export const pullImage = method(`/${image}/PullImage`, cri.PullImageRequest, cri.PullImageResponse);
export const removeImage = method(`/${image}/RemoveImage`, cri.RemoveImageRequest, cri.RemoveImageResponse);
export const imageFsInfo = method(`/${image}/ImageFsInfo`, cri.ImageFsInfoRequest, cri.ImageFsInfoResponse);

export const subscribe = method(
  '/containerd.services.events.v1.Events/Subscribe',
  events.SubscribeRequest,
  events.Envelope,
);

interface Codec<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

function method<Request, Response>(
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
): Method<Request, Response> {
  return {
    path,
    fields: callFields(path),
    encode: (message) => request.encode(message).finish(),
    decode: (bytes) => response.decode(bytes),
  };
}
