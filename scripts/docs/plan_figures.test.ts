import { expect, test } from 'vitest'
import { readPages } from './pages.ts'

// limits.md is generated from the seed data. A page that lists the figures of plans must list all of them.

const pages = readPages()
const limits = pages.find(({ path }) => path === 'docs/guide/limits.md')?.text ?? ''
const plans = ['free', 'plus', 'pro']

/** The figure of each plan by the column of `plans`. */
const figures = new Map(
  [...limits.matchAll(/^\| `(\w+)` \| user \| ([^|]+) \| ([^|]+) \| ([^|]+) \| (?=[^|]+\| )/gm)].map(
    ([, column = '', ...values]) => [column, values.map((value) => value.trim())] as const,
  ),
)

test('a row of a guide that names one column of plans has the figure of every plan', () => {
  const rows = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/^\| [^|]+ \| ([^|]+) \| `plans\.(\w+)` \|$/gm)].map(([, values = '', column = '']) => ({
      place: `${path} ${column}`,
      values,
      column,
    })),
  )
  expect(rows.length).toBeGreaterThan(5)
  const wrong = rows.flatMap(({ place, values, column }) =>
    plans
      .map((plan, index) => `\`${plan}\`: ${figures.get(column)?.[index]}`)
      .filter((figure) => !`${values},`.match(new RegExp(`${figure}[ ,]`)))
      .map((figure) => `${place} lacks ${figure}`),
  )
  expect(wrong).toEqual([])
})
