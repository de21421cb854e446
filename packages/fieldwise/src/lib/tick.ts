const resolved = Promise.resolve()

/** Runs `work` when the code that runs now has ended, before any input or output. Unlike `queueMicrotask` it makes no object for each use. */
export function atEndOfTick(work: () => void): void {
  void resolved.then(work)
}
