import pg from 'pg'
import type { Checks, RowCheck, ValueCheck } from './checks.ts'
import { type Condition, conditionSql } from './conditions.ts'
import { listUnwritten } from './payload.ts'
import type { Change } from './stream.ts'
import type { Table } from './tables.ts'
import type { Claims } from './tokens.ts'

/** The answers of Postgres about a batch of changes. */
export type Answers = {
  /** Collects the questions about a change and a subscriber that have no answer yet. */
  need(change: Change, table: Table, claims: Claims, conditions: Condition[]): void
  /** Sends the collected questions in one round trip. Returns whether there were questions. */
  ask(): Promise<boolean>
  /** Whether the claims may select the row of the change now. */
  isVisible(change: Change, table: Table, claims: Claims): boolean
  isMet(change: Change, condition: Condition): boolean
  /** How to_jsonb writes a value that only Postgres can write. */
  json(sqlType: string, text: string): string | null
}

/** The rows of a table that are checked for the same claims. */
type RowQuestion = RowCheck & { answers: Map<string, boolean>; asked: string[] }

type ValueQuestion = ValueCheck & { answers: Map<string, string | null> }

/** Creates the answers about a batch of changes, which are empty. */
export function createAnswers(checks: Checks): Answers {
  const rows = new Map<string, Map<number, RowQuestion>>()
  const values = new Map<string, ValueQuestion>()
  const keys = new Map<Change, { key: string[]; id: string } | undefined>()
  let openRows = new Set<RowQuestion>()
  let openValues = new Set<ValueQuestion>()
  let xids = new Set<number>()

  /** The key of the row whose visibility decides; undefined where no policy does. */
  function keyOf(change: Change, { hasRls, key }: Table): { key: string[]; id: string } | undefined {
    if (!hasRls || change.type === 'DELETE') return undefined
    const known = keys.get(change)
    if (known) return known
    const texts = key.map((name) => change.record?.get(name) ?? '')
    const found = { key: texts, id: texts.length === 1 ? (texts[0] ?? '') : JSON.stringify(texts) }
    keys.set(change, found)
    return found
  }

  function questionOf({ role, json }: Claims, table: Table): RowQuestion {
    let byTable = rows.get(json)
    if (!byTable) {
      byTable = new Map()
      rows.set(json, byTable)
    }
    let question = byTable.get(table.id)
    if (!question) {
      question = { role, claims: json, table, keys: [], answers: new Map(), asked: [] }
      byTable.set(table.id, question)
    }
    return question
  }

  function needValue(role: string, sqlType: string, expression: string, text: string): void {
    const id = valueId(sqlType, expression)
    let question = values.get(id)
    if (!question) {
      question = { role, sqlType, expression, values: [], answers: new Map() }
      values.set(id, question)
    }
    if (question.answers.has(text)) return
    question.answers.set(text, null)
    question.values.push(text)
    openValues.add(question)
  }

  return {
    need(change, table, claims, conditions) {
      for (const condition of conditions)
        needValue(claims.role, condition.sqlType, expressionOf(condition), textOf(change, condition))
      for (const { sqlType, text } of listUnwritten(change, table)) needValue(claims.role, sqlType, 'to_jsonb(v)', text)
      const row = keyOf(change, table)
      if (!row) return
      const question = questionOf(claims, table)
      if (question.answers.has(row.id)) return
      question.answers.set(row.id, false)
      question.keys.push(row.key)
      question.asked.push(row.id)
      xids.add(change.xid)
      openRows.add(question)
    },
    async ask() {
      if (openRows.size === 0 && openValues.size === 0) return false
      const [askedRows, askedValues] = [[...openRows], [...openValues]]
      openRows = new Set()
      openValues = new Set()
      const askedXids = xids
      xids = new Set()
      const { visible, results } = await checks.run(askedRows, askedValues, askedXids)
      for (const [at, question] of askedRows.entries()) {
        for (const number of visible[at] ?? []) question.answers.set(question.asked[number] ?? '', true)
        question.keys = []
        question.asked = []
      }
      for (const [at, question] of askedValues.entries()) {
        for (const [number, text] of question.values.entries())
          question.answers.set(text, results[at]?.[number] ?? null)
        question.values = []
      }
      return true
    },
    isVisible(change, table, claims) {
      const row = keyOf(change, table)
      return row === undefined || rows.get(claims.json)?.get(table.id)?.answers.get(row.id) === true
    },
    isMet: (change, condition) =>
      values.get(valueId(condition.sqlType, expressionOf(condition)))?.answers.get(textOf(change, condition)) ===
      'true',
    json: (sqlType, text) => values.get(valueId(sqlType, 'to_jsonb(v)'))?.answers.get(text) ?? null,
  }
}

function expressionOf(condition: Condition): string {
  return conditionSql(condition, pg.escapeLiteral)
}

function textOf({ record, identity }: Change, { column }: Condition): string {
  return (record ?? identity)?.get(column) ?? ''
}

function valueId(sqlType: string, expression: string): string {
  return `${sqlType} ${expression}`
}
