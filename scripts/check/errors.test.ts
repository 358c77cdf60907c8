import { expect, test } from 'vitest'
import { compareErrors, findRaisedInSql, findRaisedInTypeScript } from './errors.ts'

const inSql = (text: string) => findRaisedInSql({ path: 'a.sql', text })
const inTypeScript = (text: string) =>
  findRaisedInTypeScript({ path: 'a.ts', text }).map(({ slug, status }) => [slug, status])

test('app.fail is found on one line and over several, and nothing else', () => {
  const { raised, problems } = inSql(`-- perform app.fail(400, 'in_a_comment', …)
create or replace function app.fail(status integer, slug text) …
as $$ begin
  perform app.fail(404, 'not_there', 'Not there; sorry.', format('Use %s, (or) %s.', 'a', array['b', 'c']));
  perform app.fail(
    429,
    'too_fast',
    'Too fast.',
    'Slow down.'
  );
end $$;
revoke execute on function app.fail(integer, text) from public;`)
  expect(raised).toEqual([
    { slug: 'not_there', status: 404, where: 'a.sql:4' },
    { slug: 'too_fast', status: 429, where: 'a.sql:5' },
  ])
  expect(problems).toEqual([])
})

test('a raise with a PT code is found', () => {
  const { raised } = inSql(`as $$ begin
  raise exception using errcode = 'PT413', message = 'Too large; it''s over.', detail = 'too_large', hint = 'Less.';
  raise exception using errcode = format('PT%s', status), detail = slug;
  raise notice 'detail';
end $$`)
  expect(raised).toEqual([{ slug: 'too_large', status: 413, where: 'a.sql:2' }])
})

test('an error whose status or slug is not written out is a problem', () => {
  expect(inSql("perform app.fail(v_status, 'a', 'b', 'c')").problems).toEqual([
    'a.sql:1: app.fail needs its status and its slug written out, so that this check sees them',
  ])
  expect(inSql("raise exception using errcode = 'PT400', hint = 'a', detail = v_slug;").problems).toEqual([
    "a.sql:1: an error with a PT code needs its slug as detail = '…'",
  ])
})

test('an error without a hint is a problem, however many commas its message has', () => {
  expect(inSql("perform app.fail(404, 'a', format('x, %s, (y', f(1, 2)))").problems).toEqual([
    'a.sql:1: app.fail needs a hint, which says the next step',
  ])
  expect(inSql("raise exception using errcode = 'PT400', detail = 'a';").problems).toEqual([
    'a.sql:1: an error with a PT code needs a hint',
  ])
})

test("TypeScript's answers, calls and maps are found, without status where none is written", () => {
  const text = `
    // details: 'in_a_comment'
    reply.send({ code: 'PT404', details: 'route_not_found', message: \`No \${path} {here}, 404, 'nor_here'.\` })
    return { code, details: slugs[status] ?? 'request_invalid', message: error.message }
    answer(outgoing, 502, 'upstream_unavailable', 'It does not answer.')
    const slugs = { 413: 'request_too_large' }
    type Problem = { code: string; details: string }`
  expect(inTypeScript(text)).toEqual([
    ['route_not_found', 404],
    ['request_invalid', undefined],
    ['upstream_unavailable', 502],
    ['request_too_large', 413],
  ])
})

test('the table has each slug once, in order, with its status and two sentences', () => {
  const raised = [
    { slug: 'a', status: 400, where: 'x:1' },
    { slug: 'b', status: undefined, where: 'x:2' },
    { slug: 'c', status: 404, where: 'x:3' },
  ]
  const docs = (...lines: string[]) => ({ path: 'e.md', text: lines.join('\n') })
  const row = (slug: string, status: number) => `| \`${slug}\` | ${status} | It is so. | Change it. |`
  expect(compareErrors(raised, docs('| slug | status | … | … |', row('a', 400), row('b', 500), row('c', 404)))).toEqual(
    [],
  )
  expect(
    compareErrors(raised, docs(row('c', 409), row('b', 500), row('b', 500), row('d', 404), '| `e` | 404 | So |')),
  ).toEqual([
    'x:1: a (400) has no line in e.md',
    'x:3: c is raised with 404, and e.md:1 says 409',
    'e.md:2: b is not in its place: the table is sorted',
    'e.md:3: b has a line already',
    'e.md:4: nothing raises d',
    'e.md:5: nothing raises e',
    'e.md:5: needs two sentences: the cause and the next step',
  ])
})
