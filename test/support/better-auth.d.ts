// better-auth names databases of runtimes that are not this one in its types.
declare module 'bun:sqlite' {
  export class Database {}
}

declare module 'node:sqlite' {
  export class DatabaseSync {}
}
