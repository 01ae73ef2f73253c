/**
 * Calls of this agent that are under way, by the container or sandbox that they start or stop: whoever hears of the change
 * meanwhile need not ask when it is done.
 */
export interface OwnCalls {
  /** Makes the call, known by the id until it ends. */
  make<T>(id: string, call: () => Promise<T>): Promise<T>;
  /** Waits for the end of the call that is under way. Returns whether there was one and it succeeded. */
  hasBrought(id: string): Promise<boolean>;
}

export function ownCalls(): OwnCalls {
  const underWay = new Map<string, Promise<unknown>>();
  return {
    make(id, call) {
      const made = call().finally(() => {
        if (underWay.get(id) === made) underWay.delete(id);
      });
      underWay.set(id, made);
      return made;
    },
    async hasBrought(id) {
      const made = underWay.get(id);
      if (made === undefined) return false;
      return made.then(
        () => true,
        // Its caller is told.
        () => false,
      );
    },
  };
}
