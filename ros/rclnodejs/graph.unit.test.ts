import { describe, expect, it } from 'vitest';
import { writerOf } from './graph.ts';
import { capabilitiesOn } from './index.ts';

it('is told which publisher a sample is from, but not on rmw_cyclonedds', () => {
  expect(capabilitiesOn('rmw_fastrtps_cpp').tellsWriters).toBe(true);
  expect(capabilitiesOn('rmw_cyclonedds_cpp').tellsWriters).toBe(false);
});

describe('the writer of a sample', () => {
  const [own, driver] = ['0110ca00db6a492b45bbc48000000803', '010f8e49c0f6a6c597aa10e900002103'];
  const numberOfCyclone = 'f857dc689ea6e9690000000000000000';
  const isAccepted = (writer: string) => writer === driver;

  it('is the one that is told, also when it is gone already', () => {
    expect(writerOf(own, [own, driver], isAccepted)).toBe(own);
    expect(writerOf(own, [driver], isAccepted)).toBe(own);
  });

  it('is any where the RMW implementation tells a number of its own and all are accepted, or none', () => {
    expect(writerOf(numberOfCyclone, [driver], isAccepted)).toBe(driver);
    expect(writerOf(numberOfCyclone, [own], isAccepted)).toBe(own);
    expect(writerOf(numberOfCyclone, [], isAccepted)).toBe(numberOfCyclone);
  });

  it('is not known where only some are accepted', () => {
    expect(writerOf(numberOfCyclone, [own, driver], isAccepted)).toBeUndefined();
    expect(writerOf(numberOfCyclone, [driver, own], isAccepted)).toBeUndefined();
  });
});
