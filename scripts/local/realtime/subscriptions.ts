import type { Condition } from './conditions.ts'
import type { Parameters } from './parameters.ts'
import type { Claims } from './tokens.ts'

/** A receiver of changes: a channel. */
export type Receiver = {
  /** Sends a change, as JSON, to the bindings with these ids. */
  deliver(ids: number[], data: string): void
}

/** A binding of a channel to the changes of tables. */
export type Subscription = {
  id: number
  receiver: Receiver
  event: Parameters['event']
  select: string[] | null
  /** The conditions for each table, by its oid. */
  tables: Map<number, Condition[]>
  claims: Claims
}

/** All subscriptions of the server, found by table. */
export type Subscriptions = {
  add(subscription: Subscription): void
  remove(subscription: Subscription): void
  of(tableId: number): ReadonlySet<Subscription>
  readonly size: number
}

const none: ReadonlySet<Subscription> = new Set()

/** Creates an empty register of subscriptions by table. */
export function createSubscriptions(): Subscriptions {
  const byTable = new Map<number, Set<Subscription>>()
  const all = new Set<Subscription>()
  return {
    add(subscription) {
      all.add(subscription)
      for (const id of subscription.tables.keys()) {
        const found = byTable.get(id)
        if (found) found.add(subscription)
        else byTable.set(id, new Set([subscription]))
      }
    },
    remove(subscription) {
      all.delete(subscription)
      for (const id of subscription.tables.keys()) {
        const found = byTable.get(id)
        found?.delete(subscription)
        if (found?.size === 0) byTable.delete(id)
      }
    },
    of: (tableId) => byTable.get(tableId) ?? none,
    get size() {
      return all.size
    },
  }
}
