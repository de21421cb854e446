import { vi } from 'vitest'

/** Resolves when it holds. However busy the machine is: vitest alone gives up after a second. */
export async function until(holds: () => unknown): Promise<void> {
  await vi.waitUntil(holds, { timeout: 60_000, interval: 10 })
}
