import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { testPod } from './testing.ts';
import { type TurnKind, turnRank, turns } from './turns.ts';

const never = new AbortController().signal;
const pod = testPod();
const withPriority = (priority: number): Pod => ({ ...pod, spec: { ...pod.spec!, priority } });

describe('whose turn it is', () => {
  const systemCritical = withPriority(2_000_001_000);
  const leastOfAll = withPriority(-2_147_483_648);
  it.each<[string, [TurnKind, Pod], [TurnKind, Pod]]>([
    ['a container before a sandbox', ['startContainer', leastOfAll], ['createSandbox', systemCritical]],
    [
      'what is down before what is to be stopped',
      ['stopSandbox', leastOfAll],
      ['killContainer', systemCritical],
    ],
    [
      'the end of a pod before the beginning of another',
      ['killContainer', leastOfAll],
      ['createSandbox', systemCritical],
    ],
    [
      'of two sandboxes that of the higher priority',
      ['createSandbox', systemCritical],
      ['createSandbox', withPriority(0)],
    ],
    [
      'a sandbox that can be made before one whose volumes are yet to come',
      ['createSandbox', leastOfAll],
      ['prepareSandbox', systemCritical],
    ],
    ['one without a priority before one below zero', ['createSandbox', pod], ['createSandbox', leastOfAll]],
  ])('%s', (_, sooner, later) => expect(turnRank(...sooner)).toBeLessThan(turnRank(...later)));
});

describe('turns', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Work that goes on until it is told to end. */
  function works() {
    const begun: string[] = [];
    const ends = new Map<string, (outcome?: Error) => void>();
    const work = (name: string) => () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => {
        ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)));
      });
    };
    return { begun, work, end: (name: string, error?: Error) => ends.get(name)!(error) };
  }

  it('are so many at once; what is nearly done goes first', async () => {
    const { begun, work, end } = works();
    const turn = turns(2);
    const all = ['a', 'b', 'c', 'd'].map((name) => turn('createSandbox', pod, work(name), never));
    const container = turn('startContainer', pod, work('container'), never);
    await vi.waitFor(() => expect(begun).toEqual(['a', 'b']));
    end('b');
    await vi.waitFor(() => expect(begun).toEqual(['a', 'b', 'container']));
    end('container');
    expect(await container).toBe('container');
    await vi.waitFor(() => expect(begun).toEqual(['a', 'b', 'container', 'c']));
    end('a');
    await vi.waitFor(() => expect(begun.at(-1)).toBe('d'));
    end('c');
    end('d');
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('go on after work that failed, and say how', async () => {
    const { begun, work, end } = works();
    const turn = turns(1);
    const failing = turn('startContainer', pod, work('failing'), never);
    const next = turn('startContainer', pod, work('next'), never);
    await vi.waitFor(() => expect(begun).toEqual(['failing']));
    end('failing', new Error('no such image'));
    await expect(failing).rejects.toThrow('no such image');
    await vi.waitFor(() => expect(begun).toEqual(['failing', 'next']));
    end('next');
    await next;
  });

  it.each<[TurnKind, number]>([
    ['killContainer', 100],
    ['prepareSandbox', 200],
    ['createSandbox', 5000],
  ])('of what hangs hold nobody up: %s', async (kind, longestMs) => {
    vi.useFakeTimers();
    const { begun, work, end } = works();
    const turn = turns(1);
    const hanging = turn(kind, pod, work('hanging'), never);
    const next = turn(kind, pod, work('next'), never);
    const last = turn(kind, pod, work('last'), never);
    await vi.advanceTimersByTimeAsync(longestMs - 1);
    expect(begun).toEqual(['hanging']);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toEqual(['hanging', 'next']);
    // The place of what took too long is given back only once.
    end('hanging');
    await hanging;
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toEqual(['hanging', 'next']);
    end('next');
    await next;
    await vi.advanceTimersByTimeAsync(0);
    end('last');
    await last;
  });

  it('are not waited for by a pod that is to end', async () => {
    const { work, end } = works();
    const turn = turns(1);
    const first = turn('createSandbox', pod, work('first'), never);
    const ending = new AbortController();
    const waiting = turn('createSandbox', pod, work('waiting'), ending.signal);
    ending.abort(new Error('the pod is to end'));
    await expect(waiting).rejects.toThrow('the pod is to end');
    await vi.waitFor(() => end('first'));
    await first;
  });
});
