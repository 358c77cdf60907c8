import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** Returns the path of an installed Chromium or Chrome. */
export function findChromium(path = process.env['PATH'] ?? ''): string | undefined {
  const programs = names.flatMap((name) => path.split(delimiter).map((folder) => join(folder, name)))
  return programs.find((program) => {
    try {
      accessSync(program, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** A page in a tab of Chromium. */
export type Page = {
  /** Evaluates an expression in the page, waits for its promise, and returns the value as JSON. */
  evaluate<T>(expression: string): Promise<T>
  reload(): Promise<void>
  close(): Promise<void>
}

/** A headless Chromium with a profile of its own. Its tabs share localStorage and cookies. */
export type Chromium = {
  version: string
  open(url: string): Promise<Page>
  /** The exceptions that no code of a page caught. */
  uncaught: string[]
  /** The errors that Chromium logged, such as answers without the headers of CORS. */
  logged: string[]
  close(): Promise<void>
}

type Message = {
  id?: number
  method?: string
  sessionId?: string
  params?: { exceptionDetails?: ExceptionDetails; entry?: { level: string; text: string; url?: string } }
  result?: unknown
  error?: { message: string }
}
type ExceptionDetails = { text: string; exception?: { description?: string } }

/** Starts Chromium, and speaks the DevTools protocol with it through two pipes: messages of JSON that end with a zero byte. */
export async function startChromium(program: string): Promise<Chromium> {
  const profile = mkdtempSync(join(tmpdir(), 'plinth-chromium-'))
  const child = spawn(
    program,
    [
      '--headless',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      '--no-first-run',
      '--disable-gpu',
      // /dev/shm of a container is too small.
      '--disable-dev-shm-usage',
      // Chromium's sandbox refuses to run as root, as in a container of CI. The pages here are ours.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
  )
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    log = (log + text).slice(-4000)
  })
  const exited = once(child, 'exit')
  const [toBrowser, fromBrowser] = child.stdio.slice(3) as unknown as [Writable, Readable]
  toBrowser.on('error', () => {})
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const loaded = new Map<string, () => void>()
  const uncaught: string[] = []
  const logged: string[] = []
  const fail = () => {
    for (const { reject } of waiting.values()) reject(new Error(`Chromium has ended.\n${log}`))
    waiting.clear()
  }
  exited.then(fail, fail)

  const receive = ({ id, method, sessionId = '', params, result, error }: Message) => {
    if (id !== undefined) {
      const call = waiting.get(id)
      waiting.delete(id)
      if (error) call?.reject(new Error(`Chromium: ${error.message}`))
      else call?.resolve(result)
    } else if (method === 'Page.loadEventFired') loaded.get(sessionId)?.()
    else if (method === 'Runtime.exceptionThrown') uncaught.push(describe(params?.exceptionDetails))
    else if (params?.entry?.level === 'error') logged.push(`${params.entry.text} ${params.entry.url ?? ''}`)
  }
  let rest = ''
  fromBrowser.setEncoding('utf8').on('data', (text) => {
    const parts = (rest + text).split('\0')
    rest = parts.pop() ?? ''
    for (const part of parts) receive(JSON.parse(part))
  })
  let calls = 0
  const call = async <T>(method: string, params: object = {}, sessionId?: string): Promise<T> => {
    const id = ++calls
    const answer = Promise.withResolvers<unknown>()
    waiting.set(id, answer)
    toBrowser.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    const timer = setTimeout(() => answer.reject(new Error(`Chromium did not answer ${method} within 60 s.`)), 60_000)
    try {
      return (await answer.promise) as T
    } finally {
      clearTimeout(timer)
    }
  }

  const close = async () => {
    await call('Browser.close').catch(() => child.kill('SIGKILL'))
    await exited
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  const open = async (url: string): Promise<Page> => {
    const { targetId } = await call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
    const target = { targetId, flatten: true }
    const { sessionId } = await call<{ sessionId: string }>('Target.attachToTarget', target)
    await Promise.all(['Page', 'Runtime', 'Log'].map((domain) => call(`${domain}.enable`, {}, sessionId)))
    /** Resolves when the page is loaded: then its modules have run. */
    const load = async (method: string, params: object = {}) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      loaded.set(sessionId, resolve)
      await call(method, params, sessionId)
      await promise
    }
    await load('Page.navigate', { url })
    return {
      async evaluate<T>(expression: string) {
        const params = { expression, awaitPromise: true, returnByValue: true }
        const { result, exceptionDetails } = await call<{
          result: { value: T }
          exceptionDetails?: ExceptionDetails
        }>('Runtime.evaluate', params, sessionId)
        if (exceptionDetails) throw new Error(describe(exceptionDetails))
        return result.value
      },
      reload: () => load('Page.reload'),
      close: async () => void (await call('Target.closeTarget', { targetId })),
    }
  }
  try {
    const { product } = await call<{ product: string }>('Browser.getVersion')
    return { version: product, open, uncaught, logged, close }
  } catch (error) {
    await close()
    throw error
  }
}

function describe(details: ExceptionDetails | undefined): string {
  return details?.exception?.description ?? details?.text ?? 'unknown exception'
}
