/** Cyclone DDS's configuration for what ROS 2 calls discovery, as rmw_cyclonedds sets it up, and for an agent. */
import type { DiscoveryOptions } from '../transport.ts';

/**
 * Peers take the agent for dead when they hear nothing of it for that long. Shorter, and a hiccup of the radio looks like
 * a dead agent; the library renews it from a thread of its own, so that a busy agent does not.
 */
const defaultLeaseMs = 2000;
/** rmw_cyclonedds' number of participants that find each other by unicast on one host. */
const maxParticipantIndex = 32;
/**
 * Who is there already answers an announcement. The library repeats it every 30 s: one that the radio lost would cost as
 * much, and a restarted agent takes nodes that it does not find for dead.
 */
const announcementMs = 1000;

/**
 * A list of XML documents as the library takes it: what comes later goes before what came earlier, so the user's own
 * configuration wins. `uniqueTag` closes off a participant whose discovery is off.
 */
export function cycloneConfig(options: DiscoveryOptions, uniqueTag: string): string {
  const { range, staticPeers } = options;
  const peers = range === 'off' ? [] : [...staticPeers];
  if (range === 'localhost') peers.push('localhost');
  const isUnicast = range === 'localhost' || range === 'off';
  const general = isUnicast ? element('General', element('AllowMulticast', 'false')) : '';
  const discovery = element(
    'Discovery',
    element('LeaseDuration', milliseconds(options.participantLeaseMs ?? defaultLeaseMs)),
    element('ParticipantIndex', 'auto'),
    element('MaxAutoParticipantIndex', String(maxParticipantIndex)),
    element('SPDPInterval', milliseconds(announcementMs)),
    peers.length > 0
      ? element('Peers', ...peers.map((address) => `<Peer address="${escapeXml(address)}"/>`))
      : '',
    range === 'off' ? element('Tag', escapeXml(uniqueTag)) : '',
  );
  const ours = element('CycloneDDS', element('Domain', general, discovery, sizing, internal));
  return options.vendorConfig === undefined ? ours : `${ours},${options.vendorConfig}`;
}

/**
 * What is received lies in buffers, and a buffer stays for as long as anything in it waits for what comes before: anybody who
 * leaves gaps makes that memory. The library's are four times as large, two of them also when all is well.
 */
const sizing = element('Sizing', element('ReceiveBufferSize', '256 KiB'));

/**
 * A writer that keeps the last samples is bounded by its depth; one that keeps all holds that much for readers that do not
 * keep up, and then drops. One that is closed waits only shortly for such a reader.
 */
const internal = element(
  'Internal',
  element(
    'Watermarks',
    element('WhcHigh', '16 MB'),
    element('WhcHighInit', '16 MB'),
    element('WhcAdaptive', 'false'),
  ),
  element('WriterLingerDuration', '50 ms'),
);

function element(name: string, ...content: string[]): string {
  return `<${name}>${content.join('')}</${name}>`;
}

function milliseconds(value: number): string {
  return `${value} ms`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
