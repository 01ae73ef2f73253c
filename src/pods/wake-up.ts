/** The sleep of a worker between two syncs, which whoever has news for it ends early. */
export class WakeUp {
  #awake = true;
  #end: (() => void) | undefined;

  /** From now on news end the next sleep before it begins. */
  begin(): void {
    this.#awake = false;
  }

  wake(): void {
    this.#awake = true;
    this.#end?.();
  }

  /** Returns whether the time was over: false when there were news, or the signal aborted. */
  async sleep(ms: number, signal: AbortSignal): Promise<boolean> {
    if (this.#awake || signal.aborted) return false;
    return await new Promise<boolean>((resolve) => {
      const end = (isOver: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#end = undefined;
        resolve(isOver);
      };
      const wake = () => end(false);
      const timer = setTimeout(() => end(true), ms);
      signal.addEventListener('abort', wake, { once: true });
      this.#end = wake;
    });
  }
}
