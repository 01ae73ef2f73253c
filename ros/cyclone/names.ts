/**
 * How ROS 2 names become DDS names: topics `rt/…`, services `rq/…Request` and `rr/…Reply`, types
 * `package::msg::dds_::Name_`. What follows no such rule stays as it is.
 */

const topicPrefix = 'rt';
const requestPrefix = 'rq';
const replyPrefix = 'rr';
const requestSuffix = 'Request';
const replySuffix = 'Reply';

export interface ServiceTopics {
  request: string;
  reply: string;
}

/** `/a/b` to `rt/a/b`; a name that does not begin with a slash is a plain DDS topic. */
export function ddsTopic(name: string): string {
  return name.startsWith('/') ? `${topicPrefix}${name}` : name;
}

export function rosTopic(ddsName: string): string {
  return ddsName.startsWith(`${topicPrefix}/`) ? ddsName.slice(topicPrefix.length) : ddsName;
}

export function serviceTopics(name: string): ServiceTopics {
  return { request: `${requestPrefix}${name}${requestSuffix}`, reply: `${replyPrefix}${name}${replySuffix}` };
}

/** `/a/b` of its request or reply topic, undefined for any other topic. */
export function serviceOfTopic(ddsName: string): { name: string; side: 'request' | 'reply' } | undefined {
  if (ddsName.startsWith(`${requestPrefix}/`) && ddsName.endsWith(requestSuffix)) {
    return { name: ddsName.slice(requestPrefix.length, -requestSuffix.length), side: 'request' };
  }
  if (ddsName.startsWith(`${replyPrefix}/`) && ddsName.endsWith(replySuffix)) {
    return { name: ddsName.slice(replyPrefix.length, -replySuffix.length), side: 'reply' };
  }
  return undefined;
}

/** `std_msgs/msg/String` to `std_msgs::msg::dds_::String_`. */
export function ddsType(name: string): string {
  const [packageName, kind, ...rest] = name.split('/');
  return rest.length === 1 ? `${packageName}::${kind}::dds_::${rest[0]}_` : name;
}

export function rosType(ddsName: string): string {
  const match = /^(\w+)::(\w+)::dds_::(\w+)_$/.exec(ddsName);
  return match ? `${match[1]}/${match[2]}/${match[3]}` : ddsName;
}

/** `lifecycle_msgs/srv/GetState` of `lifecycle_msgs::srv::dds_::GetState_Request_`. */
export function rosServiceType(ddsName: string): string {
  return rosType(ddsName).replace(/_(Request|Response)$/, '');
}
