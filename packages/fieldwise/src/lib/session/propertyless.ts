/**
 * The base class of objects to which users cannot add properties. People who come from express-session write `session.user = 'ada'`, which
 * would last for the rest of the request and be gone in the next. The proxy at the end of the prototype chain refuses it. Only assignments
 * to properties that do not exist get there, so nothing else becomes slower. Unlike a frozen object, it throws in sloppy mode too.
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
