/**
 * An element with attributes and content. Text is always set as text, never as markup: names of fields may come from anywhere.
 *
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Record<string, string | number | boolean>} [attributes]
 * @param {...(Node | string)} content
 * @returns {HTMLElementTagNameMap[N]}
 */
export function make(name, attributes = {}, ...content) {
  const element = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value))
  element.append(...content)
  return element
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`The page has no #${id}`)
  return element
}

/** Writes only what is new: a screen reader would read the same again. @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/**
 * Makes the children of `parent` those of `items`, and keeps what is there already, so that the focus stays where it is.
 *
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {{ key: (item: T) => string, make: (item: T) => Element, update: (element: any, item: T) => void }} how
 */
export function keep(parent, items, how) {
  const known = new Map([...parent.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]))
  const wanted = new Set(items.map((item) => how.key(item)))
  for (const [key, child] of known) if (key === undefined || !wanted.has(key)) child.remove()
  let next = parent.firstElementChild
  for (const item of items) {
    const element = known.get(how.key(item)) ?? made(how, item)
    if (element === next) next = element.nextElementSibling
    else parent.insertBefore(element, next)
    how.update(element, item)
  }
}

/**
 * @template T
 * @param {{ key: (item: T) => string, make: (item: T) => Element }} how
 * @param {T} item
 */
function made(how, item) {
  const element = /** @type {HTMLElement} */ (how.make(item))
  element.dataset.key = how.key(item)
  return element
}
