import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** A request to repeat. Each `{{new:<name>}}` in its body becomes a UUID, the same during one turn of the requests. */
export type LoadRequest = { method: 'GET' | 'POST'; path: string; headers: Record<string, string>; body?: string }

/** Requests to send: each connection repeats its requests and waits for each answer. */
export type Load = {
  url: string
  requests: LoadRequest[]
  seconds: number
  /**
   * Connections that send as fast as they get answers. The requests are distributed among them, and each has an address of
   * its own in `x-forwarded-for`, as if many callers sent them; unless they are `inOrder`: then each connection sends all
   * requests, with one address.
   */
  connections: number
  inOrder?: boolean
}

/** Requests of many addresses to send at a fixed pace, whether or not answers arrive. Measures how long a visitor waits. */
export type Probe = { url: string; requests: LoadRequest[]; perSecond: number }

/** The answers. Latencies in milliseconds. */
export type LoadResult = {
  perSecond: number
  answers: number
  p50: number
  p99: number
  max: number
  bytesPerAnswer: number
  failures: number
  /** Share of one core that the generator itself used. */
  generatorCpu: number
}

/** An instruction to the generator's process. */
export type Order = { load: Load } | { probe: Probe } | { stop: true }

/** The load generator: autocannon in its own process, so that it never shares a thread with the measured code. */
export type Generator = {
  run(load: Load): Promise<LoadResult>
  /** Probes while `work` runs. */
  probe<T>(probe: Probe, work: () => Promise<T>): Promise<{ result: LoadResult; value: T }>
  close(): Promise<void>
}

export function startGenerator(): Generator {
  const child = fork(join(import.meta.dirname, 'generate_load.ts'))
  const exited = once(child, 'exit')
  const ask = async (order: Order): Promise<LoadResult> => {
    const answer = once(child, 'message')
    child.send(order)
    const ended = exited.then(([code]) => Promise.reject(new Error(`The load generator ended with code ${code}`)))
    const [result] = (await Promise.race([answer, ended])) as [LoadResult]
    if (result.failures > 0)
      throw new Error(`${result.failures} of ${result.failures + result.answers} requests failed`)
    return result
  }
  return {
    run: (load) => ask({ load }),
    probe: async (probe, work) => {
      const working = work().finally(() => child.connected && child.send({ stop: true } satisfies Order))
      const [result, value] = await Promise.all([ask({ probe }), working])
      return { result, value }
    },
    close: async () => {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}
