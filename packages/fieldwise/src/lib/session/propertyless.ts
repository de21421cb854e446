/**
 * The base of what has methods, and no properties that anybody may add. Whoever comes from express-session writes `session.user = 'ada'`, which would be
 * there for the rest of the request and gone in the next. It is refused by the end of the prototype chain, where a property comes that
 * nobody has: so it costs nothing that exists, and throws in sloppy code too, where a frozen object says nothing.
 *
 * @internal
 */
export class Propertyless {}

Object.setPrototypeOf(
  Propertyless.prototype,
  new Proxy(
    {},
    {
      set(_target, name) {
        throw new TypeError(
          `A session has no property '${String(name)}' to set: await session.set('${String(name)}', …), and read it by await session.get('${String(name)}')`,
        )
      },
    },
  ),
)
