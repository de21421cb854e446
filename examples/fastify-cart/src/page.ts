import { goods } from './sessions.js'

export function page(cart: Record<string, number>): string {
  return `<!doctype html>
    <html lang="en">
      <title>Shop</title>
      <h1>Shop</h1>
      ${goods.map((good) => form('add', good, good)).join('')}
      <h2>Your cart</h2>
      ${Object.entries(cart)
        .map(([good, count]) => form('remove', good, `${count} × ${good}`))
        .join('')}
    </html>`
}

function form(action: 'add' | 'remove', good: string, text: string): string {
  return `<form method="post" action="/${action}">${text} <button name="good" value="${good}">${action}</button></form>`
}
