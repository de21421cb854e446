/** Encrypts what is stored, and refuses what was changed or moved. One for each `createSessions`. */
export interface Sealer {
  /** The bytes to store for `plain` as `name` (a field's name, or `@` for the header) of session `sid`. */
  seal(sid: string, name: string, plain: Buffer): Buffer
  /** The plain bytes of what was stored. @throws {SealBrokenError} (`SEAL_BROKEN`) */
  open(sid: string, name: string, stored: Buffer): Buffer
  /** How many bytes sealing adds. */
  readonly overhead: number
}

/** Without `sealing`, what is stored is plain. */
export const noSealing: Sealer = {
  seal: (_sid, _name, plain) => plain,
  open: (_sid, _name, stored) => stored,
  overhead: 0,
}
