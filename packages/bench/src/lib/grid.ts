/** Figures in rows and columns. */
export interface Grid {
  readonly caption: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}
