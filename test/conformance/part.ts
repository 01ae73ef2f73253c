/**
 * What `make test` leaves out of the specs of `make conformance`, so that it takes two minutes: a regular expression each,
 * as Go knows them. Every area is still there.
 */
export const leftOutOfPart = [
  // Four minutes each: they see that nothing happens, or wait for crash loops.
  String.raw`should \*not\* be restarted with`,
  'should have monotonically increasing restart count',
  // A minute each; other specs do the same with another handler.
  'should be restarted with a GRPC liveness probe',
  'should be restarted with an exec liveness probe with timeout',
  'should not be ready with an exec readiness probe timeout',
  'with readiness probe that fails should never be ready',
  // Fails on machines like the standard one, whatever the kubelet: README.md.
  'PrivilegedPod',
];
