/**
 * A version is valid on the connection that read it, whose `origin` it carries (W3). The 64-bit number is kept as two halves: a slice of the
 * answer would keep the whole answer in memory.
 */
export class BinaryVersion {
  readonly origin: object
  readonly high: number
  readonly low: number

  constructor(origin: object, high: number, low: number) {
    this.origin = origin
    this.high = high
    this.low = low
  }
}

/** The version in the header of a reply, as read over a connection; undefined for 0, which asks for no version at all. */
export function versionIn(bytes: Buffer, start: number, origin: object): BinaryVersion | undefined {
  const [high, low] = [bytes.readUInt32BE(start + 16), bytes.readUInt32BE(start + 20)]
  return high === 0 && low === 0 ? undefined : new BinaryVersion(origin, high, low)
}
