import { expect, test } from 'vitest'
import { provePayments } from './storm.ts'

test('shuffled and repeated callbacks of 30 orders leave the ledger of a clean pass, although the database restarts', async () => {
  const lines: string[] = []
  // Throws if one of the ledgers differs.
  await provePayments({ orders: 30, callbacks: 600, connections: 10 }, (line) => lines.push(line))
  expect(lines[1]).toMatch(/^600 callbacks were acknowledged, \d+ of them different, from 10 connections/)
  expect(lines.filter((line) => line.includes('rows are equal'))).toHaveLength(7)
  expect(lines.at(-1)).toBe('ops.credit_faults: empty in both databases.')
})
