import type pg from 'pg'
import { median } from '../report.ts'

/**
 * Measures the cost of API keys for requests without a key: the search in the headers, in microseconds. It cannot be measured
 * by HTTP, where rounds differ by a tenth. The figure "with gate.pre_request, against without" shows the cost of all that the
 * gate does: PostgREST sends a statement for it, and it admits the caller. So the gate runs in a loop inside Postgres, in
 * turns with its own text without the search, and the difference is compared with the time of a trivial request at full load.
 * That time is shared by several processors, so the true share is smaller.
 */
export async function measureLook(admin: pg.Client, anonKey: string): Promise<{ microseconds: number; whole: number }> {
  // The headers of supabase-js in a browser, behind a proxy.
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
