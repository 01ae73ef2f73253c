import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Paced } from './paced.ts';

const restMs = 5;

describe('what is paced', () => {
  let done = 0;
  let costMs = 0;
  let waitMs = 0;
  let cpuMs = 0;
  let paced: Paced;

  beforeEach(() => {
    vi.useFakeTimers();
    done = 0;
    costMs = 0;
    waitMs = 0;
    cpuMs = 0;
    const act = () => {
      done += 1;
      cpuMs += costMs;
      vi.advanceTimersByTime(costMs + waitMs);
    };
    paced = new Paced(act, restMs, () => cpuMs);
  });
  afterEach(() => {
    paced.close();
    vi.useRealTimers();
  });

  it('is done at once, once for all that is asked in one turn of the event loop', () => {
    paced.ask();
    paced.ask();
    expect(done).toBe(0);
    vi.advanceTimersByTime(0);
    expect(done).toBe(1);
  });

  it('is done once more after the rest for all that was asked meanwhile, and not when nothing was', () => {
    paced.ask();
    vi.advanceTimersByTime(1);
    paced.ask();
    paced.ask();
    vi.advanceTimersByTime(1);
    expect(done).toBe(1);
    vi.advanceTimersByTime(restMs);
    expect(done).toBe(2);
    vi.advanceTimersByTime(10 * restMs);
    expect(done).toBe(2);
    paced.ask();
    vi.advanceTimersByTime(0);
    expect(done).toBe(3);
  });

  it('rests longer from what takes long', () => {
    costMs = 10;
    paced.ask();
    vi.advanceTimersByTime(0);
    paced.ask();
    vi.advanceTimersByTime(80);
    expect(done).toBe(1);
    vi.advanceTimersByTime(20);
    expect(done).toBe(2);
  });

  it('rests from what it cost, and not from having waited for a processor', () => {
    waitMs = 1000;
    paced.ask();
    vi.advanceTimersByTime(0);
    paced.ask();
    vi.advanceTimersByTime(restMs);
    expect(done).toBe(2);
  });

  it('is done in this moment where it is asked for now, and no more often for that', () => {
    paced.ask();
    paced.askNow();
    expect(done).toBe(1);
    paced.askNow();
    vi.advanceTimersByTime(restMs - 1);
    expect(done).toBe(1);
    vi.advanceTimersByTime(10 * restMs);
    expect(done).toBe(2);
  });

  it.each(['ask', 'askNow'] as const)(
    'that asks for itself by %s is done once more, after the rest',
    (ask) => {
      const asking: Paced = new Paced(
        () => {
          done += 1;
          if (done === 1) asking[ask]();
        },
        restMs,
        () => 0,
      );
      asking.askNow();
      vi.advanceTimersByTime(restMs - 1);
      expect(done).toBe(1);
      vi.advanceTimersByTime(10 * restMs);
      expect(done).toBe(2);
      asking.close();
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it('leaves no timer behind when it is closed after it has asked for itself', () => {
    const asking: Paced = new Paced(
      () => asking.ask(),
      restMs,
      () => 0,
    );
    asking.askNow();
    vi.advanceTimersByTime(1);
    asking.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not done any more when it was closed before its time', () => {
    paced.ask();
    paced.close();
    vi.advanceTimersByTime(100);
    expect(done).toBe(0);
  });

  it('is not done when it is asked for after it was closed', () => {
    paced.close();
    paced.ask();
    vi.advanceTimersByTime(100);
    expect(done).toBe(0);
  });
});
