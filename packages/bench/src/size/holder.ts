/** One candidate: a session of 20 fields, of which one is read or changed. */
export interface Holder {
  read(): Promise<unknown>
  /** Adds one to the number that the field begins with. */
  write(): Promise<unknown>
}

export const fieldCount = 20

/** A small field, and one of those that share the rest. */
export const [small, share] = ['field0', 'field7']

export const fieldNames = Array.from({ length: fieldCount }, (_, index) => `field${index}`)

const smallBytes = 40

/** Texts, `bytes` all together: a small one, the others of one length. */
export function values(bytes: number): Record<string, string> {
  const others = '0'.repeat(Math.floor((bytes - smallBytes) / (fieldCount - 1)))
  return Object.fromEntries(fieldNames.map((name) => [name, name === small ? '0'.repeat(smallBytes) : others]))
}

/** A text of the same length that begins with the next number. */
export function next(text: string): string {
  const number = String(Number.parseInt(text.slice(0, 8), 10) + 1).padStart(8, '0')
  return number + text.slice(8)
}
