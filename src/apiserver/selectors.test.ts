import { describe, expect, it } from 'vitest';
import { fieldSelector, labelSelector } from './selectors.ts';

const pod = {
  kind: 'Pod',
  metadata: {
    name: 'cam',
    namespace: 'default',
    labels: { app: 'camera', tier: '', 'roslet.dev/kind': 'driver' },
  },
  spec: { nodeName: 'robot', containers: [] },
  status: { phase: 'Running' },
};

describe('labelSelector', () => {
  it.each([
    ['', true],
    ['app=camera', true],
    ['app==camera', true],
    ['app=lidar', false],
    ['app!=lidar', true],
    ['app!=camera', false],
    ['missing!=x', true],
    ['app', true],
    ['!app', false],
    ['!missing', true],
    ['missing', false],
    ['tier=', true],
    ['app in (camera, lidar)', true],
    ['app in (lidar)', false],
    ['app notin (lidar,imu)', true],
    ['missing notin (a)', true],
    ['app in (camera,lidar),tier,roslet.dev/kind=driver', true],
    ['app=camera,tier=x', false],
  ])('"%s" selects: %s', (text, selected) => {
    expect(labelSelector(text)(pod)).toBe(selected);
  });

  it('refuses one that is longer than any real one', () => {
    expect(labelSelector(Array(800).fill('app').join(','))(pod)).toBe(true);
    expect(() => labelSelector(','.repeat(5000))).toThrow(/more than 4096 characters/);
  });

  it.each(['app in (a', 'app),tier', 'app in camera', 'app=a b', '=x', 'app=(', 'a b c'])(
    'refuses "%s"',
    (text) => {
      expect(() => labelSelector(text)).toThrow(/unable to parse label selector/);
    },
  );
});

describe('fieldSelector', () => {
  it.each([
    ['', true],
    ['metadata.name=cam', true],
    ['metadata.name==cam,metadata.namespace=default', true],
    ['metadata.name!=cam', false],
    ['spec.nodeName=robot,status.phase!=Failed', true],
    ['spec.restartPolicy=', true],
  ])('"%s" selects: %s', (text, selected) => {
    expect(fieldSelector('pods', text)(pod)).toBe(selected);
  });

  it('refuses a field that cannot be selected by, and names those that can', () => {
    expect(() => fieldSelector('pods', 'spec.hostname=x')).toThrow(/"spec.hostname".*status\.phase/);
  });
});
