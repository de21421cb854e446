import type { SessionEvent } from '../api/events.js'
import type { SharedStats } from '../api/shared.js'
import { Telemetry } from '../engine/telemetry.js'

/** Counts what one `createShared` does. Its events name kinds and servers, and no item: ids may be secrets, and their hashes be guessed. */
export class SharedTelemetry extends Telemetry {
  readonly #cached = { fresh: 0, stale: 0, loaded: 0 }
  #loads = 0
  #failedLoads = 0

  sharedStats(): SharedStats {
    const { operations, flights, conflicts, retries, combined, unknown, latency } = this.stats()
    const [loads, failedLoads] = [this.#loads, this.#failedLoads]
    return {
      operations,
      flights,
      conflicts,
      retries,
      combined,
      unknown,
      latency,
      cached: { ...this.#cached },
      loads,
      failedLoads,
    }
  }

  served(how: 'fresh' | 'stale' | 'loaded'): void {
    this.#cached[how]++
  }

  loading(): void {
    this.#loads++
  }

  loadFailed(): void {
    this.#failedLoads++
  }

  protected override about(sid: string | undefined): SessionEvent {
    return { ...super.about(sid), sid: undefined }
  }
}
