import type pg from 'pg'
import { median } from '../report.ts'

/**
 * What API keys cost whoever has none: the look into the headers, in microseconds. By HTTP it drowns: rounds there differ
 * by a tenth, and that any pre-request function exists costs 8 to 10% of a trivial RPC, since PostgREST sends a statement
 * of its own for it (the ratio "with gate.pre_request, against without" shows that, and is no bar: the gate limits
 * bodies, keys or not). So the gate runs in a loop inside Postgres, against its own text without the look, in turns, and
 * the difference is set against the time of a trivial request by HTTP at full load. All of it happens in the database's
 * process, while that time is shared by two or more processors: the true share is smaller.
 */
export async function measureLook(admin: pg.Client, anonKey: string): Promise<{ microseconds: number; whole: number }> {
  // What supabase-js in a browser sends, behind a proxy.
  const headers = {
    accept: '*/*',
    'accept-encoding': 'gzip, deflate, br, zstd',
    'accept-language': 'en-GB,en;q=0.9',
    'accept-profile': 'public',
    apikey: anonKey,
    host: 'api.example.com',
    origin: 'https://harpy.chat',
    referer: 'https://harpy.chat/',
    'sec-fetch-mode': 'cors',
    'user-agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    'x-client-info': 'supabase-js-web/2.119.0',
    'x-forwarded-for': '203.0.113.9, 198.51.100.7',
  }
  const turns: { with_keys: number; without_keys: number }[] = []
  for (let turn = 0; turn < 31; turn++) {
    const { rows } = await admin.query('select * from app.bench_gate($1, 20000)', [JSON.stringify(headers)])
    turns.push(rows[0])
  }
  return {
    microseconds: median(turns.map((turn) => turn.with_keys - turn.without_keys)),
    whole: median(turns.map((turn) => turn.with_keys)),
  }
}
