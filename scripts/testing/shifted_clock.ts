// Shifts the clock of a process by PLINTH_TEST_CLOCK_SHIFT_MS milliseconds, also in its worker threads. Only tests know the variable.
//
//   PLINTH_TEST_CLOCK_SHIFT_MS=-7200000 node --import ./scripts/testing/shifted_clock.ts worker/main.ts
//
// `performance.now()` and timers keep their pace, as on a machine whose clock is set wrong.

const shiftMs = Number(process.env['PLINTH_TEST_CLOCK_SHIFT_MS'] ?? 0)

globalThis.Date = new Proxy(Date, {
  construct(RealDate, args, newTarget) {
    return Reflect.construct(RealDate, args.length === 0 ? [RealDate.now() + shiftMs] : args, newTarget)
  },
  apply: (RealDate) => new RealDate(RealDate.now() + shiftMs).toString(),
  get: (RealDate, key) => (key === 'now' ? () => RealDate.now() + shiftMs : Reflect.get(RealDate, key)),
})
