export function page(visits: number, cart: readonly string[]): string {
  return `<!doctype html>
    <html lang="en">
      <title>Shop</title>
      <h1>Visit ${visits}</h1>
      <ul>${cart.map((thing) => `<li>${escaped(thing)}</li>`).join('')}</ul>
      <form method="post" action="/cart">
        <label>Put into the cart <input name="thing" required></label>
        <button>Add</button>
      </form>
    </html>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
