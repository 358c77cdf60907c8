import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort, listUsualPorts, openPorts, type Ports } from './ports.ts'
import { chooseStackPorts } from './stack_ports.ts'

let home: string
const opened: Ports[] = []
/** The ports of a stack. */
function open(): Ports {
  const ports = openPorts()
  opened.push(ports)
  return ports
}
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'plinth-ports-'))
})
afterEach(() => {
  for (const ports of opened.splice(0)) ports.release()
  rmSync(home, { recursive: true, force: true })
  delete process.env['PLINTH_PORT']
})

test('stacks that choose at the same moment get different ports, and a released port is free again', async () => {
  const wanted = listUsualPorts(await freePort())
  const stacks = Array.from({ length: 20 }, open)
  const chosen = await Promise.all(stacks.map(({ choosePort }) => choosePort('PLINTH_PORT', wanted)))
  expect(new Set(chosen).size).toBe(20)
  for (const port of chosen) expect(wanted).toContain(port)
  const first = stacks[chosen.indexOf(wanted[0] ?? 0)]
  first?.release()
  expect(await open().choosePort('PLINTH_PORT', wanted)).toBe(wanted[0])
})

test('a port on which a program listens is not free', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const next = await freePort()
  expect(await open().choosePort('PLINTH_PORT', [port, undefined, next])).toBe(next)
  process.env['PLINTH_PORT'] = String(port)
  await expect(open().choosePort('PLINTH_PORT')).rejects.toThrow(`Port ${port} is not free: choose another PLINTH_PORT`)
  server.close()
})

test('a home keeps its ports; a port that a variable names is for one start', async () => {
  const start = async () => {
    const ports = open()
    const chosen = await chooseStackPorts(home, ports, () => {})
    ports.release()
    return chosen
  }
  const first = await start()
  expect(new Set(Object.values(first)).size).toBe(12)
  expect(first.gateway % 10).toBe(1)
  expect(first.postgres % 10).toBe(2)
  expect(await start()).toEqual(first)
  const other = await freePort()
  process.env['PLINTH_PORT'] = String(other)
  expect(await start()).toEqual({ ...first, gateway: other })
  delete process.env['PLINTH_PORT']
  expect(await start()).toEqual(first)
})

test('a home of an earlier release keeps the port of its S3 server', async () => {
  const s3 = await freePort()
  writeFileSync(join(home, 'ports.json'), JSON.stringify({ s3 }))
  expect((await chooseStackPorts(home, open(), () => {})).s3).toBe(s3)
  expect(JSON.parse(readFileSync(join(home, 'ports.json'), 'utf8'))).toMatchObject({ s3, gateway: expect.any(Number) })
})

test('a start says that another program has the port of the URL', async () => {
  const said: string[] = []
  const choose = () => chooseStackPorts(home, open(), (line) => said.push(line))
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  writeFileSync(join(home, 'ports.json'), JSON.stringify({ gateway: port }))
  const { gateway } = await choose()
  server.close()
  expect(said).toEqual([`Port ${port} is not free, so the URL has port ${gateway}: change it in your apps, too.`])
  for (const ports of opened.splice(0)) ports.release()
  expect((await choose()).gateway).toBe(gateway)
  expect(said).toHaveLength(1)
})

test('a free port is given once on this machine, also while nothing listens on it', async () => {
  const file = join(import.meta.dirname, 'ports.ts')
  const code = `const { freePort } = await import('${file}')
    const ports = await Promise.all(Array.from({ length: 1000 }, freePort))
    console.log(JSON.stringify(ports))
    process.stdin.resume()`
  const processes = [1, 2].map(() => spawn(process.execPath, ['--input-type=module', '-e', code]))
  try {
    const read = async ({ stdout }: (typeof processes)[number]) =>
      JSON.parse(String((await once(createInterface({ input: stdout }), 'line'))[0]))
    const ports = (await Promise.all(processes.map(read))).flat()
    expect(new Set(ports).size).toBe(2000)
  } finally {
    for (const child of processes) child.kill()
  }
})
