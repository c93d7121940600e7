import type { Connection, Fact, Notice, Operation, StateChange } from '@/api/types'

/** One thing that happened to a device. */
export type Happening = { at: string; id: string } & (
  | { what: 'state'; of: StateChange }
  | { what: 'fact'; of: Fact; reason?: string }
  | { what: 'connected' | 'disconnected'; of: Connection }
  | { what: 'noticeOpened' | 'noticeTaken' | 'noticeCleared'; of: Notice }
  | { what: 'commandAsked' | 'commandEnded'; of: Operation }
)

/** What is known so far of a device's past; each list is newest first. */
export interface Past {
  states: StateChange[]
  connections: Connection[]
  notices: Notice[]
  operations: Operation[]
  facts: Fact[]
}

/** Operations tell of themselves, better than the facts about them. */
const TOLD_OTHERWISE = /^(operations|notifications)\./

/** Put everything that happened into one stream, newest first, from `since` on. */
export function oneStream(past: Past, since = ''): Happening[] {
  const reasons = new Map(past.states.map((one) => [one.at, one]))
  const told = new Set<string>()
  const stream: Happening[] = []
  for (const of of past.facts) {
    if (TOLD_OTHERWISE.test(of.name)) continue
    // A change of state is both a fact and a step of the device's life, of one instant.
    const step = of.after?.state === undefined ? undefined : reasons.get(of.at)
    if (step) told.add(step.at)
    stream.push({ what: 'fact', at: of.at, id: of.id, of, reason: step?.reason || undefined })
  }
  for (const of of past.states) {
    if (!told.has(of.at)) stream.push({ what: 'state', at: of.at, id: `${of.at}/${of.state}`, of })
  }
  for (const of of past.connections) {
    const id = `${of.clientId}/${of.connectedAt}`
    stream.push({ what: 'connected', at: of.connectedAt, id, of })
    if (of.disconnectedAt) {
      stream.push({ what: 'disconnected', at: of.disconnectedAt, id: `${id}/end`, of })
    }
  }
  for (const of of past.notices) {
    stream.push({ what: 'noticeOpened', at: of.openedAt, id: of.id, of })
    if (of.acknowledgedAt) {
      stream.push({ what: 'noticeTaken', at: of.acknowledgedAt, id: `${of.id}/taken`, of })
    }
    if (of.clearedAt) stream.push({ what: 'noticeCleared', at: of.clearedAt, id: `${of.id}/over`, of })
  }
  for (const of of past.operations) {
    // What could not be encoded was never on its way.
    if (of.state !== 'error' || of.sentAt) {
      stream.push({ what: 'commandAsked', at: of.createdAt, id: of.id, of })
    }
    if (of.finishedAt) stream.push({ what: 'commandEnded', at: of.finishedAt, id: `${of.id}/end`, of })
  }
  return stream.filter((one) => one.at >= since).sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
}

/** Tell down to when all lists are whole: below it, one that goes on may still have something. */
export function wholeSince(lists: { oldest?: string; more: boolean }[]): string {
  return lists
    .filter((list) => list.more)
    .map((list) => list.oldest ?? '')
    .reduce((latest, oldest) => (oldest > latest ? oldest : latest), '')
}
