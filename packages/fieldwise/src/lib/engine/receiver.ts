/** Who waits for something, and is told once. What `succeed` throws is for whoever called it to hand to `fail`. */
export interface Receiver<T> {
  succeed(value: T): void
  fail(error: unknown): void
}
