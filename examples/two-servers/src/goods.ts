export const goods = ['poppy', 'cornflower', 'chamomile', 'sunflower', 'aster', 'bluebell'] as const
export const avatars = ['hedgehog', 'fox', 'owl', 'cat', 'frog', 'bear', 'rabbit', 'penguin'] as const

export type Good = (typeof goods)[number]
export type Avatar = (typeof avatars)[number]

/** Prices in cents. */
export const catalogue: Readonly<Record<Good, { name: string; price: number; note: string }>> = {
  poppy: { name: 'Poppy', price: 240, note: 'Full sun, poor soil' },
  cornflower: { name: 'Cornflower', price: 210, note: 'Loved by bees' },
  chamomile: { name: 'Chamomile', price: 190, note: 'Good for tea' },
  sunflower: { name: 'Sunflower', price: 320, note: 'Two metres tall' },
  aster: { name: 'Aster', price: 260, note: 'Flowers until October' },
  bluebell: { name: 'Bluebell', price: 350, note: 'Half shade' },
}
