/** Columns of equal width. `numbers` are those that stand to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], numbers: readonly number[] = []): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  const cell = (text: string, column: number) =>
    numbers.includes(column) ? text.padStart(widths[column] as number) : text.padEnd(widths[column] as number)
  return lines.map((line) => line.map(cell).join('  ').trimEnd()).join('\n')
}
