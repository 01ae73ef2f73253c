import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ddsTopic,
  ddsType,
  rosServiceType,
  rosTopic,
  rosType,
  serviceOfTopic,
  serviceTopics,
} from './names.ts';

const token = fc.stringMatching(/^[a-z][a-z0-9_]{0,12}$/);
const topic = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => `/${tokens.join('/')}`);
const type = fc.tuple(
  token,
  fc.constantFrom('msg', 'srv', 'action'),
  fc.stringMatching(/^[A-Z][A-Za-z0-9_]{0,20}$/),
);

describe('names', () => {
  it('writes topics, services and types as ROS 2 does', () => {
    expect(ddsTopic('/camera/image')).toBe('rt/camera/image');
    expect(serviceTopics('/camera/get_state')).toEqual({
      request: 'rq/camera/get_stateRequest',
      reply: 'rr/camera/get_stateReply',
    });
    expect(ddsType('std_msgs/msg/String')).toBe('std_msgs::msg::dds_::String_');
    expect(rosServiceType('lifecycle_msgs::srv::dds_::GetState_Request_')).toBe(
      'lifecycle_msgs/srv/GetState',
    );
    expect(rosServiceType('lifecycle_msgs::srv::dds_::GetState_Response_')).toBe(
      'lifecycle_msgs/srv/GetState',
    );
  });

  it.each(['DCPSTopic', 'rtfoo', 'rq/no_suffix', 'Foo::Bar', 'plain'])(
    'leaves the DDS name %j as it is',
    (name) => {
      expect(rosTopic(name)).toBe(name);
      expect(rosType(name)).toBe(name);
      expect(serviceOfTopic(name)).toBeUndefined();
    },
  );

  it('comes back from every name', () => {
    fc.assert(
      fc.property(topic, type, (name, parts) => {
        const typeName = parts.join('/');
        expect(rosTopic(ddsTopic(name))).toBe(name);
        expect(rosType(ddsType(typeName))).toBe(typeName);
        const { request, reply } = serviceTopics(name);
        expect(serviceOfTopic(request)).toEqual({ name, side: 'request' });
        expect(serviceOfTopic(reply)).toEqual({ name, side: 'reply' });
      }),
    );
  });
});
