/** Where the servers of a table are. */
export interface Addresses {
  readonly memcached: string
  readonly redisPort: number
}
