import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen, startTestRealtime, type TestRealtime } from '../../testing/realtime.ts'

let realtime: TestRealtime
const [ana, bob] = [crypto.randomUUID(), crypto.randomUUID()]

beforeAll(async () => {
  realtime = await startTestRealtime()
  await realtime.db.query(`
    create table public.notes (
      id bigint generated always as identity primary key,
      owner_id uuid not null,
      title text,
      stars integer,
      secret text
    );
    alter table public.notes enable row level security;
    grant select (id, owner_id, title, stars) on public.notes to anon, authenticated;
    create policy select_own on public.notes for select to authenticated using (owner_id = (select auth.uid()));
    alter publication supabase_realtime add table public.notes;
  `)
}, 60_000)
afterAll(() => realtime?.stop())

test('sends an insert to the owner of the row', async () => {
  const heard = await listen(realtime.client(await realtime.tokenOf(ana)), { table: 'notes' })
  expect(heard.system).toEqual([
    { extension: 'postgres_changes', status: 'ok', message: 'Subscribed to PostgreSQL', channel: expect.any(String) },
  ])
  await realtime.db.query(`insert into public.notes (owner_id, title, stars) values ($1, 'first', 3), ($2, 'x', 1)`, [
    ana,
    bob,
  ])
  const [change] = await heard.have(1)
  expect(change).toEqual({
    eventType: 'INSERT',
    schema: 'public',
    table: 'notes',
    commit_timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    errors: null,
    new: { id: 1, owner_id: ana, title: 'first', stars: 3 },
    old: {},
  })
})
