/** How much there is. */
export interface Extent {
  readonly servers: readonly string[]
  readonly sessions: number
  /** How many fields each session has stored. */
  readonly fields: number
}
