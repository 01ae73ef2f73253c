"""A plain DDS program for tests: Eclipse Cyclone DDS by its Python binding, following the conventions of ROS 2 by hand.

Speaks the same JSON lines as rclpy_peer.py, and has no ROS 2 in it. Services go as rmw_cyclonedds has them: the client
and the number of its request stand before the request and before the response. With GID_BYTES=24 it tells of its nodes, and
reads of those of others, as Humble and older do.
"""

import functools
import os
import sys
import threading

from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsPublication, BuiltinTopicDcpsSubscription
from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import make_idl_struct, types
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from json_lines import serve, tell
from ros_types import known, message, service, to_message, to_plain

REQUEST_HEADER = {'client_id': types.uint64, 'request_number': types.int64}
GID_BYTES = int(os.environ.get('GID_BYTES', '16'))
known['rmw_dds_common/msg/Gid'] = make_idl_struct(
    'Gid_', 'rmw_dds_common.msg.dds_.Gid_', {'data': types.array[types.uint8, GID_BYTES]}
)


def to_qos(options):
    policies = [
        Policy.History.KeepLast(options.get('depth', 1)),
        Policy.DataRepresentation(use_cdrv0_representation=True),
        {
            'reliable': Policy.Reliability.Reliable(max_blocking_time=duration(milliseconds=100)),
            'best_effort': Policy.Reliability.BestEffort,
        }[options.get('reliability', 'reliable')],
        {
            'volatile': Policy.Durability.Volatile,
            'transient_local': Policy.Durability.TransientLocal,
        }[options.get('durability', 'volatile')],
    ]
    if 'deadlineMs' in options:
        policies.append(Policy.Deadline(duration(milliseconds=options['deadlineMs'])))
    if 'livelinessLeaseMs' in options:
        lease = duration(milliseconds=options['livelinessLeaseMs'])
        manual = options.get('liveliness') == 'manual_by_topic'
        policies.append(Policy.Liveliness.ManualByTopic(lease) if manual else Policy.Liveliness.Automatic(lease))
    return Qos(*policies)


class Peer:
    def __init__(self, name, namespace):
        self.participant = DomainParticipant(int(os.environ['ROS_DOMAIN_ID']), qos=Qos(Policy.Userdata(b'enclave=/;')))
        self.name, self.namespace = name, namespace
        self.writers, self.readers, self.timers = {}, {}, {}
        self.nodes = {}
        self.heard = {}
        threading.Thread(target=self.take, daemon=True).start()
        latched = {'durability': 'transient_local'}
        info_type = message('rmw_dds_common/msg/ParticipantEntitiesInfo')
        self.info = DataWriter(self.participant, Topic(self.participant, 'ros_discovery_info', info_type), to_qos(latched))
        self.info_reader = self.reader('ros_discovery_info', info_type, latched, self.heard_nodes)
        self.announce()

    def reader(self, dds_topic, type, qos, heard):
        topic = Topic(self.participant, dds_topic, type)
        reader = DataReader(self.participant, topic, to_qos(qos))
        self.heard[reader] = heard
        return reader

    def take(self):
        """Asks every reader again and again: a listener of this binding can lock itself out with Python's own lock."""
        pause = threading.Event()
        while not pause.wait(0.005):
            for reader, heard in list(self.heard.items()):
                for sample in reader.take(N=100):
                    if sample.sample_info.valid_data:
                        heard(sample)

    def writer(self, dds_topic, type, qos):
        return DataWriter(self.participant, Topic(self.participant, dds_topic, type), to_qos(qos))

    def announce(self):
        """Tells the graph which node this is and which endpoints are its own."""
        gid = lambda entity: {'data': list(entity.guid.bytes.ljust(GID_BYTES, b'\0'))}
        node = {
            'node_namespace': self.namespace,
            'node_name': self.name,
            'reader_gid_seq': [gid(reader) for reader in self.readers.values()],
            'writer_gid_seq': [gid(writer) for writer in self.writers.values()],
        }
        info = {'gid': gid(self.participant), 'node_entities_info_seq': [node]}
        self.info.write(to_message(message('rmw_dds_common/msg/ParticipantEntitiesInfo'), info))

    def heard_nodes(self, info):
        self.nodes[bytes(info.gid.data)] = [
            f'{node.node_namespace.rstrip("/")}/{node.node_name}' for node in info.node_entities_info_seq
        ]

    def subscribe(self, topic, type, qos={}):
        def heard(sample):
            at = str(sample.sample_info.source_timestamp)
            tell({'topic': topic, 'sample': to_plain(sample), 'sourceTimeNs': at})

        self.readers[topic] = self.reader(f'rt{topic}', message(type), qos, heard)
        self.announce()

    def publish(self, topic, type, sample={}, qos={}, period_ms=None):
        if topic not in self.writers:
            self.writers[topic] = self.writer(f'rt{topic}', message(type), qos)
            self.announce()
        writer, value = self.writers[topic], to_message(message(type), sample)
        writer.write(value)
        if period_ms is not None:
            self.timers[topic] = stop = threading.Event()

            def repeat():
                while not stop.wait(period_ms / 1000):
                    writer.write(value)

            threading.Thread(target=repeat, daemon=True).start()

    def pause(self, topic):
        self.timers.pop(topic).set()

    def unpublish(self, topic):
        if topic in self.timers:
            self.pause(topic)
        del self.writers[topic]
        self.announce()

    def serve(self, service, type, response):
        request_type, response_type = service_types(type)
        replies = self.writer(f'rr{service}Reply', response_type, {'depth': 10})

        def answer(request):
            tell({'service': service, 'request': to_plain(request)})
            header = {field: getattr(request, field) for field in REQUEST_HEADER}
            replies.write(to_message(response_type, {**response, **header}))

        self.writers[service] = replies
        self.readers[service] = self.reader(f'rq{service}Request', request_type, {'depth': 10}, answer)
        self.announce()

    def call(self, service, type, request={}, timeout_ms=20_000):
        request_type, response_type = service_types(type)
        # Any number that no other client has.
        client_id = int.from_bytes(self.participant.guid.bytes[:8], 'big') ^ len(self.timers)
        done, answers = threading.Event(), []

        def answered(response):
            if response.client_id == client_id:
                answers.append(response)
                done.set()

        replies = self.reader(f'rr{service}Reply', response_type, {'depth': 10}, answered)
        requests = self.writer(f'rq{service}Request', request_type, {'depth': 10})
        wait_until(lambda: matched(requests) and matched(replies), timeout_ms, f'no server of {service}')
        header = {'client_id': client_id, 'request_number': 1}
        requests.write(to_message(request_type, {**request, **header}))
        if not done.wait(timeout_ms / 1000):
            raise TimeoutError(f'no answer of {service} in {timeout_ms} ms')
        answer = to_plain(answers[0])
        return {field: value for field, value in answer.items() if field not in REQUEST_HEADER}

    def graph(self):
        topics = {}
        for builtin in (BuiltinTopicDcpsPublication, BuiltinTopicDcpsSubscription):
            for endpoint in BuiltinDataReader(self.participant, builtin).read(N=10_000):
                types_of_topic = topics.setdefault(endpoint.topic_name, [])
                if endpoint.type_name not in types_of_topic:
                    types_of_topic.append(endpoint.type_name)
        return {'nodes': sorted(name for names in self.nodes.values() for name in names), 'ddsTopics': topics}


@functools.cache
def service_types(name):
    """Made once: of two types of one name the binding mixes up what it knows, and takes memory without end."""
    return service(name, REQUEST_HEADER)


def matched(endpoint):
    ids = endpoint.get_matched_subscriptions() if isinstance(endpoint, DataWriter) else endpoint.get_matched_publications()
    return len(ids) > 0


def wait_until(condition, timeout_ms, otherwise):
    pause = threading.Event()
    for _ in range(timeout_ms // 10):
        if condition():
            return
        pause.wait(0.01)
    raise TimeoutError(f'{otherwise} in {timeout_ms} ms')


COMMANDS = ('subscribe', 'publish', 'pause', 'unpublish', 'serve', 'call', 'graph')


def main():
    peer = Peer(*sys.argv[1:])
    tell({'ready': 'cyclonedds'})
    serve(peer, COMMANDS)


main()
