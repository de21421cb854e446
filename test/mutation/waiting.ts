/** Whether the tests of a file wait for sockets and for the clock. */
export function waits(file: string): boolean {
  return /(connection|greeting|server)\.test\.ts$/.test(file)
}
