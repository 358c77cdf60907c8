import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { isAccepted, judge, type Target, type Verdict } from './target.ts'

const attacker = '203.0.113.10'
const connections = 210

/** Opens more slow uploads from one address than the sidecar accepts at a time. Uploads of other addresses must succeed. */
export async function attackWithSlowUploads(target: Target): Promise<Verdict> {
  const sockets: Socket[] = []
  // Otherwise the attack takes two minutes: 120 connections a minute are allowed, and an upload may take two minutes.
  return target.withSettings({ asset_uploads_per_minute: 100_000 }, async () => {
    try {
      const { hostname, port } = new URL(target.env['SIDECAR_URL'] ?? '')
      await Promise.all(
        Array.from({ length: connections }, async () => {
          const socket = connect(Number(port), hostname)
          sockets.push(socket)
          socket.on('error', () => {})
          await once(socket, 'connect')
          socket.write(
            `POST /api/assets HTTP/1.1\r\nhost: ${hostname}:${port}\r\nx-client-address: ${attacker}\r\n` +
              'content-type: multipart/form-data; boundary=b\r\ncontent-length: 1000000\r\n\r\n' +
              '--b\r\ncontent-disposition: form-data; name="file"; filename="a.gif"\r\n\r\nGIF89a',
          )
        }),
      )
      const refused = await Promise.all(
        [11, 12, 13, 14, 15].map(async (host) => {
          const { status } = await upload(target, `203.0.113.${host}`, 'a.gif', gif(200))
          return Number(status !== 201)
        }),
      )
      return judge({
        name: `${connections} slow uploads of one address: refused uploads of five other addresses`,
        figure: refused.reduce((sum, one) => sum + one, 0),
        unit: 'uploads',
        bound: 0,
        before: { figure: 5, on: '2026-11-27' },
      })
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })
}

/** Uploads six files of 15 MB from one address in a row, with 120 units a minute: each 256 KiB must count as one more. */
export async function attackWithUploadedBytes(target: Target): Promise<Verdict> {
  const megabytes = 15
  const figure = await target.withSettings({ asset_uploads_per_minute: 120 }, async () => {
    let stored = 0
    for (let file = 0; file < 6; file++) {
      const answer = await upload(target, '203.0.113.20', 'big.gif', gif(megabytes * 1e6))
      if (isAccepted(answer, 'rate_limited')) stored += megabytes
    }
    return stored
  })
  return judge({
    name: 'six uploads of 15 MB of one address, at 120 units a minute: MB stored at once',
    figure,
    unit: 'MB',
    bound: 30,
    before: { figure: 90, on: '2026-11-27' },
  })
}

/** Makes a file with the first bytes of a GIF and random others. */
export function gif(bytes: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(bytes)
  for (let from = 0; from < bytes; from += 65_536) crypto.getRandomValues(content.subarray(from, from + 65_536))
  content.set(new TextEncoder().encode('GIF89a'))
  return content
}

/** Uploads a file as a client behind this address. */
export function upload(target: Target, address: string, name: string, content: Uint8Array<ArrayBuffer>) {
  const body = new FormData()
  body.append('file', new Blob([content], { type: 'image/gif' }), name)
  return target.ask('/api/assets', { address, body })
}
