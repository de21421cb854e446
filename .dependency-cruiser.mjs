// Which rooms may know which, for `npm run rooms`. Arrows point one way, in a package and between packages.

/** For each room of a package's `src/lib`, the rooms that it may import from besides itself. */
const rooms = {
  fieldwise: {
    api: [],
    environment: [],
    schema: ['api'],
    format: ['api', 'environment'],
    contract: ['api'],
    memory: ['api'],
    engine: ['api', 'environment', 'schema', 'format'],
    inspection: ['api', 'environment', 'schema', 'format'],
    session: ['api', 'environment', 'schema', 'format', 'engine', 'memory'],
    shared: ['api', 'environment', 'schema', 'format', 'engine', 'memory'],
  },
  memcached: {
    connection: [],
    'protocol/binary': ['connection'],
    'protocol/meta': ['connection'],
    fleet: ['connection', 'protocol/binary', 'protocol/meta'],
  },
  http: {
    cookie: [],
    adapter: ['cookie'],
    'express-session': ['adapter'],
    'rate-limit': ['adapter'],
  },
}

/** For each package, the others that it may import. */
const packages = {
  fieldwise: [],
  memcached: ['fieldwise'],
  http: ['fieldwise'],
  cli: ['fieldwise', 'memcached', 'http'],
}

const tests = '\\.test(-d)?\\.ts$|/testing/'

export default {
  forbidden: [
    { name: 'no circles', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(rooms).flatMap(([name, its]) =>
      Object.entries(its).map(([room, known]) => ({
        name: `${name}: ${room} knows ${known.join(', ') || 'no other room'}`,
        severity: 'error',
        from: { path: `^packages/${name}/src/lib/${room}/`, pathNot: tests },
        to: { path: `^packages/${name}/src/`, pathNot: [room, ...known].map((each) => `^packages/${name}/src/lib/${each}/`) },
      })),
    ),
    ...Object.keys(rooms).map((name) => ({
      name: `${name}: every file is in a room`,
      severity: 'error',
      from: { path: `^packages/${name}/src/lib/[^/]+$`, pathNot: tests },
      to: {},
    })),
    ...Object.entries(packages).map(([name, known]) => ({
      name: `${name} knows ${known.join(', ') || 'no other package'}`,
      severity: 'error',
      from: { path: `^packages/${name}/src/`, pathNot: tests },
      to: { path: '^packages/', pathNot: [name, ...known].map((each) => `^packages/${each}/`) },
    })),
    {
      name: 'who does not import what servers share does not load it',
      severity: 'error',
      from: { path: '^packages/fieldwise/src/[^/]+$', pathNot: `${tests}|/shared\\.ts$` },
      to: { path: '^packages/fieldwise/src/lib/shared/' },
    },
    {
      name: 'one file knows memjs',
      severity: 'error',
      from: { path: '^packages/', pathNot: '^packages/(memcached/src/lib/protocol/binary/memjs-client\\.ts|bench/)' },
      to: { path: 'node_modules/memjs' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    exclude: { path: tests },
    doNotFollow: { path: 'node_modules|/dist/' },
  },
}
