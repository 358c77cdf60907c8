import dns from 'node:dns'

// Makes the names below plinth.test names of this machine, also in the worker threads of a process.
//
//   node --import ./scripts/testing/near_names.ts worker/main.ts

type Callback = (error: Error | null, address: string | dns.LookupAddress[], family?: number) => void

const lookup = dns.lookup as (...args: unknown[]) => void

Object.assign(dns, {
  lookup(name: string, options: dns.LookupOptions, callback: Callback) {
    if (!name.endsWith('.plinth.test')) return lookup(name, options, callback)
    const found = { address: '127.0.0.1', family: 4 }
    setImmediate(() => (options.all ? callback(null, [found]) : callback(null, found.address, found.family)))
  },
})
