import pg from 'pg'

// Postgres searches pg_temp for types before pg_catalog, also under an empty search_path. A role that may create temporary
// objects puts domains there with a check that calls a function of its own: a definer function then calls this function.

/** Creates the domains. */
export const traps = `
  create function pg_temp.spy(v pg_catalog.text) returns pg_catalog.bool language plpgsql as $$
  begin
    raise notice 'runs as %', current_user;
    return true;
  end
  $$;
  create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.spy(value::pg_catalog.text));
  create domain pg_temp.jsonb as pg_catalog.jsonb check (pg_temp.spy(value::pg_catalog.text));
  create domain pg_temp.text as pg_catalog.text check (pg_temp.spy(value))`

const call = `select worker.exchange_steps(
  '00000000-0000-0000-0000-00000000000b'::pg_catalog.uuid, '[]'::pg_catalog.jsonb, 1
)`

/** Tries to run code as another role than the one of the URL. Returns the roles as which it ran, or the refusal. */
export async function attackWithTemporaryTypes(databaseUrl: string): Promise<{ ranAs: string[]; refusal: string }> {
  const client = new pg.Client(databaseUrl)
  const ranAs = new Set<string>()
  client.on('notice', ({ message = '' }) => {
    if (message.startsWith('runs as ')) ranAs.add(message.slice('runs as '.length))
  })
  await client.connect()
  try {
    await client.query(traps)
    await client.query(call)
    return { ranAs: [...ranAs], refusal: '' }
  } catch (error) {
    return { ranAs: [...ranAs], refusal: (error as Error).message }
  } finally {
    await client.end()
  }
}
