export type StatsMap = ReadonlyMap<string, string>

/** The few questions that are asked of a memcached, in either of its protocols. Each rejects with a `WireFailure`. */
export interface MemcachedClient {
  version(): Promise<string>
  /** `stats`, or a group of them such as `settings` and `items`. */
  stats(group?: string): Promise<StatsMap>
  /** Whether the server takes this user and password. */
  login(username: string, password: string): Promise<boolean>
}
