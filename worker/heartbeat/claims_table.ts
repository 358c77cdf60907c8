/**
 * The claims of this process, in memory that the thread of the heartbeat shares. Thousands of steps a second therefore cost no
 * messages, and the thread knows the claims also while a handler blocks the main thread. Only the main thread writes.
 */
export type ClaimsTable = {
  readonly memory: SharedArrayBuffer
  /** How many claims can be added. */
  readonly room: number
  /** Adds a claim whose handler has not begun. Throws if the table is full. */
  add(claim: { id: number; fence: number; type: string }): void
  /** Records that the handler of a claim begins. */
  begin(fence: number): void
  /** Records that the handler of a claim has ended. The database does not have its result yet. */
  end(fence: number): void
  /** Records the progress of a claim, from 0 to 1. */
  report(fence: number, progress: number): void
  /** Removes a claim. */
  remove(fence: number): void
  /** Records that the main thread runs. */
  tick(): void
}

/** A claim as the table's readers see it. */
export type SharedClaim = {
  id: number
  fence: number
  /** The type's index in the list of types; -1 for a type without a handler. */
  type: number
  state: 'waiting' | 'begun' | 'ended'
  progress: number
}

// A header of one row whose first number counts the ticks, then the rows of claims. A row is eight 32-bit numbers: a version
// that is odd while the row is filled, the state, the type, the progress in ten-thousandths, id and fence as 64-bit numbers.
const rowNumbers = 8
const versionAt = 0
const stateAt = 1
const typeAt = 2
const progressAt = 3
const states = [undefined, 'waiting', 'begun', 'ended'] as const
const [free, waiting, begun, ended] = [0, 1, 2, 3]

export function createClaimsTable(types: string[], rows = 2048): ClaimsTable {
  const memory = new SharedArrayBuffer((rows + 1) * rowNumbers * 4)
  const numbers = new Int32Array(memory)
  const longs = new BigInt64Array(memory)
  const typeIndex = new Map(types.map((type, index) => [type, index]))
  const freeRows = Array.from({ length: rows }, (_, index) => rows - index)
  /** The first number of the row of each claim, by fence. */
  const places = new Map<number, number>()

  function set(fence: number, offset: number, value: number): void {
    const place = places.get(fence)
    if (place !== undefined) Atomics.store(numbers, place + offset, value)
  }

  return {
    memory,
    get room() {
      return freeRows.length
    },
    add({ id, fence, type }) {
      const row = freeRows.pop()
      if (row === undefined) throw new Error(`The table of claims is full: ${rows} claims.`)
      const place = row * rowNumbers
      places.set(fence, place)
      Atomics.add(numbers, place + versionAt, 1)
      Atomics.store(numbers, place + stateAt, waiting)
      Atomics.store(numbers, place + typeAt, typeIndex.get(type) ?? -1)
      Atomics.store(numbers, place + progressAt, 0)
      Atomics.store(longs, place / 2 + 2, BigInt(id))
      Atomics.store(longs, place / 2 + 3, BigInt(fence))
      Atomics.add(numbers, place + versionAt, 1)
    },
    begin: (fence) => set(fence, stateAt, begun),
    end: (fence) => set(fence, stateAt, ended),
    report: (fence, progress) => set(fence, progressAt, Math.round(progress * 10_000)),
    remove(fence) {
      const place = places.get(fence)
      if (place === undefined) return
      Atomics.store(numbers, place + stateAt, free)
      places.delete(fence)
      freeRows.push(place / rowNumbers)
    },
    tick: () => void Atomics.add(numbers, 0, 1),
  }
}

/** Lists the claims of a table, in any thread. Omits a claim that is being added at this moment. */
export function readClaims(memory: SharedArrayBuffer): SharedClaim[] {
  const numbers = new Int32Array(memory)
  const longs = new BigInt64Array(memory)
  const claims: SharedClaim[] = []
  for (let place = rowNumbers; place < numbers.length; place += rowNumbers) {
    const version = Atomics.load(numbers, place + versionAt)
    const state = states[Atomics.load(numbers, place + stateAt)]
    if (state === undefined || version % 2 !== 0) continue
    const claim = {
      id: Number(Atomics.load(longs, place / 2 + 2)),
      fence: Number(Atomics.load(longs, place / 2 + 3)),
      type: Atomics.load(numbers, place + typeAt),
      state,
      progress: Atomics.load(numbers, place + progressAt) / 10_000,
    }
    if (Atomics.load(numbers, place + versionAt) === version) claims.push(claim)
  }
  return claims
}

/** Returns how often the main thread has ticked. */
export function readTicks(memory: SharedArrayBuffer): number {
  return Atomics.load(new Int32Array(memory), 0)
}
