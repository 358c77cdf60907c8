import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { judge, type Target, type Verdict } from './target.ts'

// A body of 300 MB took 5.2 GB before the limits. These bodies are smaller, so that a failed attack does not stop the machine.
const megabytes = 60

/** Posts a body of small arrays, which PostgREST parses into about seventeen times its size, through the gateway. */
export async function attackWithBigBody(target: Target, kind: 'announced' | 'chunked'): Promise<Verdict> {
  const bytes = Buffer.alloc(megabytes * 1e6, '[')
  bytes.fill('[],', 1)
  const memory = watchMemory(target.pid('postgrest'))
  await send(
    new URL(`${target.env['SUPABASE_URL']}/rest/v1/flows?apikey=${target.env['SUPABASE_ANON_KEY']}`),
    kind,
    bytes,
  )
  return judge({
    name: `one anonymous ${kind} body of ${megabytes} MB: memory that PostgREST takes`,
    figure: memory.stop(),
    unit: 'MB',
    bound: 50,
    before: { figure: kind === 'chunked' ? 707 : 717, on: '2026-11-27' },
  })
}

/** Sends PostgREST a length of 5 and then 8 MB in chunks: the announced size must not let the body pass. */
export async function attackWithTwoLengths(target: Target): Promise<Verdict> {
  const flow = JSON.stringify({ flow: { name: 'f', description: 'x'.repeat(8e6), nodes: [], edges: [] } })
  const answer = await send(new URL(`${target.env['POSTGREST_URL']}/rpc/share_flow`), 'both', Buffer.from(flow))
  return judge({
    name: 'a body with two lengths, sent to PostgREST itself: MB that a function reads',
    figure: /request_too_large|length_required/.test(answer) || answer === '' ? 0 : 8,
    unit: 'MB',
    bound: 0,
    before: { figure: 8, on: '2026-11-27' },
  })
}

/** Writes a request to a socket, and returns the answer, or '' if the connection broke first. */
async function send({ hostname, port, pathname, search }: URL, kind: 'announced' | 'chunked' | 'both', bytes: Buffer) {
  const socket = connect(Number(port), hostname)
  let answer = ''
  const ended = new Promise<void>((resolve) => {
    socket.on('data', (data) => {
      answer += data
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve())
    socket.setTimeout(30_000, () => socket.destroy())
  })
  const lengths = {
    announced: [`content-length: ${bytes.length}`],
    chunked: ['transfer-encoding: chunked'],
    both: ['content-length: 5', 'transfer-encoding: chunked'],
  }[kind]
  const head = [`POST ${pathname}${search} HTTP/1.1`, `host: ${hostname}:${port}`, 'connection: close', ...lengths]
  socket.write(`${[...head, 'content-type: application/json'].join('\r\n')}\r\n\r\n`)
  for (let from = 0; from < bytes.length && socket.writable; from += 1 << 20) {
    const part = bytes.subarray(from, from + (1 << 20))
    if (kind !== 'announced') socket.write(`${part.length.toString(16)}\r\n`)
    const isTaken = socket.write(part)
    if (kind !== 'announced') socket.write('\r\n')
    // A peer that has answered may read no further.
    if (!isTaken) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended])
  }
  if (kind !== 'announced' && socket.writable) socket.write('0\r\n\r\n')
  await ended
  return answer
}

/** Samples the memory of a process; returns by how many MB its peak is above its start. */
function watchMemory(pid: number): { stop(): number } {
  const read = () => Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000
  const start = read()
  let peak = start
  const look = () => {
    peak = Math.max(peak, read())
  }
  const timer = setInterval(look, 50)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return peak - start
    },
  }
}
