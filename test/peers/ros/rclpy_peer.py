"""A ROS 2 node for tests: rclpy, which is what a user's own node is, driven by JSON lines on standard input.

Each line is a command with an "id" and an "op" (see COMMANDS); each line of output answers one ("id", "result" or
"error") or tells of a sample ("topic", "sample", …). Ends with its input.
"""

import array
import importlib
import math
import sys
import threading

import numpy
import rclpy
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message

from json_lines import serve, tell


def import_type(name):
    package, kind, short_name = name.split('/')
    return getattr(importlib.import_module(f'{package}.{kind}'), short_name)


def to_plain(value):
    """A message as what JSON can say; NaN becomes None."""
    if hasattr(value, 'get_fields_and_field_types'):
        return {field: to_plain(getattr(value, field)) for field in value.get_fields_and_field_types()}
    if isinstance(value, bytes):  # byte
        return value[0]
    if isinstance(value, (list, tuple, array.array, numpy.ndarray)):
        return [to_plain(element) for element in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.item() if isinstance(value, numpy.generic) else value


def to_message(message, values):
    """Sets the fields of a message; what is not given keeps its default."""
    for field, value in values.items():
        current = getattr(message, field)
        if isinstance(value, dict):
            to_message(current, value)
        elif isinstance(current, bytes):
            setattr(message, field, bytes([value]))
        elif isinstance(current, float):  # JSON may say 0
            setattr(message, field, float(value))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            field_type = message.get_fields_and_field_types()[field]
            package, name = field_type.removeprefix('sequence<').split('[')[0].split(',')[0].rstrip('>').split('/')
            element = import_type(f'{package}/msg/{name}')
            setattr(message, field, [to_message(element(), item) for item in value])
        elif 'octet' in message.get_fields_and_field_types()[field]:  # byte[]
            setattr(message, field, [bytes([item]) for item in value])
        elif isinstance(current, array.array) and current.typecode in 'fd':
            setattr(message, field, [float(item) for item in value])
        else:
            setattr(message, field, value)
    return message


def to_qos(options):
    qos = QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=options.get('depth', 1),
        reliability=ReliabilityPolicy[options.get('reliability', 'reliable').upper()],
        durability=DurabilityPolicy[options.get('durability', 'volatile').upper()],
        liveliness=LivelinessPolicy[options.get('liveliness', 'automatic').upper()],
    )
    if 'deadlineMs' in options:
        qos.deadline = Duration(nanoseconds=options['deadlineMs'] * 1_000_000)
    if 'livelinessLeaseMs' in options:
        qos.liveliness_lease_duration = Duration(nanoseconds=options['livelinessLeaseMs'] * 1_000_000)
    return qos


class Peer:
    def __init__(self, name, namespace):
        rclpy.init()
        self.node = rclpy.create_node(name, namespace=namespace)
        self.publishers = {}
        self.timers = {}
        self.subscriptions = {}
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)

    def subscribe(self, topic, type, qos={}):
        def heard(sample, info):
            tell({'topic': topic, 'sample': to_plain(sample), 'sourceTimeNs': str(info['source_timestamp'])})

        self.subscriptions[topic] = self.node.create_subscription(import_type(type), topic, heard, to_qos(qos))

    def publish(self, topic, type, sample={}, qos={}, period_ms=None):
        """Once, or from now on every period."""
        message = to_message(import_type(type)(), sample)
        if topic not in self.publishers:
            self.publishers[topic] = self.node.create_publisher(import_type(type), topic, to_qos(qos))
        publisher = self.publishers[topic]
        publisher.publish(message)
        if period_ms is not None:
            self.timers[topic] = self.node.create_timer(period_ms / 1000, lambda: publisher.publish(message))

    def pause(self, topic):
        """Falls silent, but keeps the publisher."""
        self.node.destroy_timer(self.timers.pop(topic))

    def unpublish(self, topic):
        if topic in self.timers:
            self.pause(topic)
        self.node.destroy_publisher(self.publishers.pop(topic))

    def serve(self, service, type, response):
        """Answers every request with the same."""
        def answer(request, message):
            tell({'service': service, 'request': to_plain(request)})
            return to_message(message, response)

        self.node.create_service(import_type(type), service, answer)

    def call(self, service, type, request={}, timeout_ms=20_000):
        service_type = import_type(type)
        client = self.node.create_client(service_type, service)
        try:
            if not client.wait_for_service(timeout_ms / 1000):
                raise TimeoutError(f'no server of {service} in {timeout_ms} ms')
            done = threading.Event()
            future = client.call_async(to_message(service_type.Request(), request))
            future.add_done_callback(lambda _: done.set())
            if not done.wait(timeout_ms / 1000):
                raise TimeoutError(f'no answer of {service} in {timeout_ms} ms')
            return to_plain(future.result())
        finally:
            self.node.destroy_client(client)

    def graph(self):
        node = self.node
        return {
            'nodes': sorted(f'{space.rstrip("/")}/{name}' for name, space in node.get_node_names_and_namespaces()),
            'topics': dict(node.get_topic_names_and_types()),
            'services': dict(node.get_service_names_and_types()),
        }

    def node_info(self, name, namespace):
        node = self.node
        return {
            'publishers': dict(node.get_publisher_names_and_types_by_node(name, namespace)),
            'subscribers': dict(node.get_subscriber_names_and_types_by_node(name, namespace)),
            'services': dict(node.get_service_names_and_types_by_node(name, namespace)),
            'clients': dict(node.get_client_names_and_types_by_node(name, namespace)),
        }

    def endpoints(self, topic):
        def describe(info):
            qos = info.qos_profile
            return {
                'node': f'{info.node_namespace.rstrip("/")}/{info.node_name}',
                'type': info.topic_type,
                'typeHash': str(info.topic_type_hash),
                'gid': ''.join(f'{byte:02x}' for byte in info.endpoint_gid),
                'reliability': qos.reliability.name.lower(),
                'durability': qos.durability.name.lower(),
            }

        # One without a slash is a topic of DDS alone.
        raw = not topic.startswith('/')
        publishers = self.node.get_publishers_info_by_topic(topic, no_mangle=raw)
        subscriptions = self.node.get_subscriptions_info_by_topic(topic, no_mangle=raw)
        return {
            'publishers': [describe(info) for info in publishers],
            'subscriptions': [describe(info) for info in subscriptions],
        }

    def serialize(self, type, sample):
        return serialize_message(to_message(import_type(type)(), sample)).hex()

    def deserialize(self, type, cdr):
        return to_plain(deserialize_message(bytes.fromhex(cdr), import_type(type)))


COMMANDS = (
    'subscribe', 'publish', 'pause', 'unpublish', 'serve', 'call',
    'graph', 'node_info', 'endpoints', 'serialize', 'deserialize',
)


def main():
    name, namespace = sys.argv[1:]
    peer = Peer(name, namespace)
    spinning = threading.Thread(target=peer.executor.spin)
    spinning.start()
    tell({'ready': rclpy.get_rmw_implementation_identifier()})
    serve(peer, COMMANDS)
    peer.executor.shutdown()
    spinning.join()
    peer.node.destroy_node()
    rclpy.shutdown()


main()
