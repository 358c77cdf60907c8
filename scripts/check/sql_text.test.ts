import { expect, test } from 'vitest'
import { blank, lineAt } from './sql_text.ts'

test('comments are blanked out, and what follows keeps its place', () => {
  const sql = 'select 1; -- create policy a\n/* create\n  policy b */ select 2;'
  expect(blank(sql, 'comments')).toBe('select 1;                   \n         \n              select 2;')
  expect(blank(sql, 'comments')).toHaveLength(sql.length)
})

test('strings and bodies stay, or go with the comments', () => {
  const sql = "do $$ begin execute 'create policy a'; -- why\n end $$; select E'it\\'s', 'it''s', \"a\";"
  expect(blank(sql, 'comments')).toContain("execute 'create policy a';       \n end $$;")
  expect(blank(sql, 'comments and quotes')).toMatch(/^do\s+;\s+select\s+,\s+, "a";$/)
})

test('does not take a string for a comment', () => {
  expect(blank("select '--', 'a'; -- b", 'comments')).toBe("select '--', 'a';     ")
})

test("an apostrophe in a comment's prose does not reach beyond it", () => {
  const sql = "comment on table a is $$The caller's$$;\nperform app.fail(404, 'gone');"
  expect(blank(sql, 'comments')).toContain("perform app.fail(404, 'gone');")
})

test('tags of dollar quotes are told apart', () => {
  expect(blank('do $a$ select $b$ x $b$ $a$; select 1', 'comments and quotes')).toMatch(/^do\s+; select 1$/)
})

test('lines count from one', () => {
  expect(lineAt('a\nb\nc', 0)).toBe(1)
  expect(lineAt('a\nb\nc', 4)).toBe(3)
})
