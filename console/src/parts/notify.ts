/** Something said in passing. */
export interface Word {
  id: number
  message: string
  color: 'teal' | 'red'
}

const MOST = 4
let said: readonly Word[] = []
let next = 0
const listeners = new Set<() => void>()

function change(words: readonly Word[]) {
  said = words
  for (const tell of listeners) tell()
}

/** Give what is being said; it stays the same until that changes. */
export const wordsSaid = () => said

export function whenSaid(listener: () => void) {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Take something said away. */
export const unsay = (id: number) => change(said.filter((one) => one.id !== id))

function say(message: string, color: Word['color'], milliseconds: number) {
  const id = next++
  change([...said, { id, message, color }].slice(-MOST))
  setTimeout(unsay, milliseconds, id)
}

/** Say in passing that something was done. */
export const told = (message: string) => say(message, 'teal', 3_500)

/** Say in passing that something failed. */
export const failed = (message: string) => say(message, 'red', 8_000)
