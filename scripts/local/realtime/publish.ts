import { type Answers, createAnswers } from './answers.ts'
import type { Checks } from './checks.ts'
import { type Condition, meets } from './conditions.ts'
import { writeChange, writeRefusal } from './payload.ts'
import type { Change } from './stream.ts'
import type { Receiver, Subscription, Subscriptions } from './subscriptions.ts'
import type { Table, Tables } from './tables.ts'

/** A change that a subscription asked for. Postgres may still refuse it. */
type Candidate = {
  subscription: Subscription
  /** Conditions that only Postgres can check. */
  conditions: Condition[]
}

export type PublishOptions = {
  subscriptions: Subscriptions
  tables: Tables
  checks: Checks
  say(line: string): void
}

/** Sends changes, in their order, to the subscribers that asked for them and may read them now. */
export async function publish(
  changes: Change[],
  { subscriptions, tables, checks, say }: PublishOptions,
): Promise<void> {
  const described = await describeAll(changes, subscriptions, tables)
  const found = changes.map((change) => {
    const table = described.get(change.relation.id)
    return table ? findCandidates(change, table, subscriptions.of(table.id)) : []
  })
  const answers = createAnswers(checks)
  // A subscriber may change its token while Postgres answers. Then Postgres is asked again, with the new token.
  for (let round = 0; round < 10; round++) {
    for (const [at, candidates] of found.entries()) {
      const change = changes[at]
      const table = change && described.get(change.relation.id)
      if (!table) continue
      for (const { subscription, conditions } of candidates)
        if (!isRefused(change, table, subscription)) answers.need(change, table, subscription.claims, conditions)
    }
    if (!(await answers.ask())) break
  }
  for (const [at, candidates] of found.entries()) {
    const change = changes[at]
    const table = change && described.get(change.relation.id)
    if (!table) continue
    try {
      deliver(change, table, candidates, answers)
    } catch (error) {
      say(`Realtime could not send a change of ${table.name}: ${(error as Error).message}`)
    }
  }
}

async function describeAll(
  changes: Change[],
  subscriptions: Subscriptions,
  tables: Tables,
): Promise<Map<number, Table>> {
  const described = new Map<number, Table>()
  for (const id of new Set(changes.map(({ relation }) => relation.id))) {
    const roles = new Set([...subscriptions.of(id)].map(({ claims }) => claims.role))
    const table = roles.size > 0 ? await tables.describe(id, roles) : undefined
    if (table) described.set(id, table)
  }
  return described
}

/** Checks filters before policies, so most subscribers need no query. */
function findCandidates(change: Change, table: Table, subscriptions: ReadonlySet<Subscription>): Candidate[] {
  const candidates: Candidate[] = []
  for (const subscription of subscriptions) {
    if (subscription.event !== '*' && subscription.event !== change.type) continue
    const conditions = isRefused(change, table, subscription)
      ? []
      : filter(change, table, subscription.tables.get(table.id) ?? [], subscription.claims.role)
    if (conditions) candidates.push({ subscription, conditions })
  }
  return candidates
}

/** Why a role can know nothing of a change: the row has no key, or the role may not select the key. */
function isRefused({ type }: Change, { key, selectable }: Table, { claims }: Subscription): string | undefined {
  if (type === 'DELETE') return undefined
  if (key.length === 0) return 'Error 400: Bad Request, no primary key'
  const allowed = selectable.get(claims.role)
  return key.every((name) => allowed?.has(name)) ? undefined : 'Error 401: Unauthorized'
}

/** Returns the conditions that only Postgres can check; undefined if the change does not meet the others. */
function filter(change: Change, table: Table, conditions: Condition[], role: string): Condition[] | undefined {
  const row = change.record ?? change.identity ?? new Map()
  const open: Condition[] = []
  for (const condition of conditions) {
    // The role may have lost the column since it subscribed.
    if (!table.selectable.get(role)?.has(condition.column)) return undefined
    const answer = meets(condition, row)
    if (answer === false) return undefined
    if (answer === 'sql') open.push(condition)
  }
  return open
}

function deliver(change: Change, table: Table, candidates: Candidate[], answers: Answers): void {
  const texts = new Map<string, string>()
  const sent = new Map<string, Map<Receiver, number[]>>()
  for (const { subscription, conditions } of candidates) {
    const { role } = subscription.claims
    // The token has another role since the table was described.
    if (!table.selectable.has(role)) continue
    const refusal = isRefused(change, table, subscription)
    if (!refusal) {
      if (!conditions.every((condition) => answers.isMet(change, condition))) continue
      if (!answers.isVisible(change, table, subscription.claims)) continue
    }
    const group = `${role} ${JSON.stringify(subscription.select)}`
    if (!texts.has(group))
      texts.set(
        group,
        refusal
          ? writeRefusal(change, table, refusal)
          : writeChange(change, table, { role, select: subscription.select }, answers.json),
      )
    const receivers = sent.get(group) ?? new Map<Receiver, number[]>()
    sent.set(group, receivers)
    receivers.set(subscription.receiver, [...(receivers.get(subscription.receiver) ?? []), subscription.id])
  }
  for (const [group, receivers] of sent)
    for (const [receiver, ids] of receivers) receiver.deliver(ids, texts.get(group) ?? '')
}
