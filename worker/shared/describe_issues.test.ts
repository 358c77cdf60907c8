import { expect, test } from 'vitest'
import { z } from 'zod'
import { describeIssues } from './describe_issues.ts'

const schema = z.strictObject({
  title: z.string().max(3),
  tags: z.array(z.object({ name: z.enum(['a', 'b']) })),
  url: z.url(),
})
const issuesOf = (value: unknown) => describeIssues(schema.safeParse(value).error as z.ZodError)

test('names places and reasons on one line, without values', () => {
  const secret = 'https://10.0.0.7/secret'
  const described = issuesOf({ title: secret, tags: [{ name: secret }], url: `${secret} ` })
  expect(described).toMatch(/^title: Too big: [^;]+; tags\[0\]\.name: Invalid option: [^;]+$/)
  expect(issuesOf(1)).toBe('Invalid input: expected object, received number')
})

test('is short, also for many issues and long keys', () => {
  const many = describeIssues(z.array(z.number()).safeParse(Array(1000).fill('x')).error as z.ZodError)
  expect(many).toMatch(/^\[0\]: Invalid [^;]+(; \[\d\]: [^;]+){4}; 995 more$/)
  expect(issuesOf({ ['k'.repeat(100_000)]: 1 }).length).toBeLessThan(1000)
})
