// Imported first, so that an old Node says what is missing instead of failing over something it cannot read.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Fieldwise needs Node 20.19 or newer. This is Node ${process.versions.node}.`)
  process.exit(1)
}
